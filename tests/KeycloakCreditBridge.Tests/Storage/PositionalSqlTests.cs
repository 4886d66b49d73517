using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Tests.Storage;

/// <summary>Statements are written with names, and PostgreSQL takes positions.</summary>
public sealed class PositionalSqlTests
{
    [Fact]
    public void Each_name_becomes_one_position_and_what_is_no_parameter_stays()
    {
        var statement = PositionalSql.Of(
            """select @B::text, '@A it''s', "@A", x @> y, @A_1 -- @A""" + "\n, @B");

        Assert.Equal("""select $1::text, '@A it''s', "@A", x @> y, $2 -- @A""" + "\n, $1", statement.Text);
    }

    [Fact]
    public void Values_stand_in_the_order_of_the_statement_and_those_that_it_does_not_name_are_left_out()
    {
        using var command = new NpgsqlCommand();

        PositionalSql.Of("select @Second, @First, @Second")
            .Add([Value("First", 1), Value("Other", 3), Value("Second", 2)], command.Parameters);

        Assert.Equal([2, 1], command.Parameters.Select(parameter => parameter.Value));
        Assert.All(command.Parameters, parameter => Assert.Equal("", parameter.ParameterName));
    }

    [Fact]
    public void A_statement_without_a_value_for_a_name_says_which()
    {
        using var command = new NpgsqlCommand();

        var missing = Assert.Throws<ArgumentException>(
            () => PositionalSql.Of("select @Lacking").Add([Value("First", 1)], command.Parameters));

        Assert.Contains("@Lacking", missing.Message, StringComparison.Ordinal);
    }

    private static NpgsqlParameter Value(string name, int value) => new(name, NpgsqlDbType.Integer) { Value = value };
}
