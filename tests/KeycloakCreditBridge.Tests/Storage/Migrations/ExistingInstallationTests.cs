using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Tests.Adoption;
using Microsoft.Extensions.Logging;

namespace KeycloakCreditBridge.Tests.Storage.Migrations;

/// <summary>Migrating a database of an existing installation.</summary>
public sealed class ExistingInstallationTests(PostgresFixture postgres)
{
    private const string RowsSql =
        """
        select md5(string_agg(row::text, '' order by row::text)) from (
            select row(id, user_id::text, credits_remaining, credits_allocated, tier, monthly_cap, last_reset, created_at,
                updated_at) as row from user_credits
            union all
            select row(id, user_id::text, amount, transaction_type, provider, model, tokens_used, cost, metadata, created_at)
                from credit_transactions) r
        """;

    private const string FilesSql =
        "select string_agg(relname || pg_relation_filenode(oid), ' ' order by relname) from pg_class where relname in ('user_credits', "
            + "'credit_transactions')";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Migrating_rewrites_no_table_and_changes_no_value(bool notifications)
    {
        await using var database = await postgres.CreateEmptyDatabaseAsync();
        await database.ExecuteAsync(ExistingInstallation.Tables(notifications: notifications));
        await database.OpenAsync("ana@example.com", 4.5m, used: 0.5m);
        await database.OpenAsync("7d9c8b7a-0000-4000-8000-000000000001", 5m, openings: 10);
        var (rows, files) = (await database.ScalarAsync<string>(RowsSql), await database.ScalarAsync<string>(FilesSql));
        using var log = new LogLines();
        using var factory = LoggerFactory.Create(logging => logging.AddProvider(log));

        await database.MigrateAsync(factory.CreateLogger<Migrator>());

        Assert.Equal(rows, await database.ScalarAsync<string>(RowsSql));
        Assert.Equal(files, await database.ScalarAsync<string>(FilesSql));
        foreach (var said in new[]
        {
            "Dropped constraint credits_remaining_positive of user_credits", "Dropped constraint valid_tier of user_credits",
            "Changed user_id of user_credits from character varying(255) to text: the table stays",
            "Changed user_id of credit_transactions from character varying(255) to text: the table stays",
            "Widened credits_remaining of user_credits from numeric(12,6) to numeric(20,6): the table stays",
            "Widened amount of credit_transactions from numeric(12,6) to numeric(20,6): the table stays",
        })
        {
            Assert.Single(
                log.All, line => line.Contains(said, StringComparison.Ordinal) && line.StartsWith("Warning", StringComparison.Ordinal));
        }

        Assert.Equal(10, log.All.Count(line => line.StartsWith("Warning", StringComparison.Ordinal)));
        Assert.Equal(0, await database.MigrateAsync());
        await database.ExecuteAsync(
            "update user_credits set credits_remaining = 99999999, tier = 'gold' where user_id = 'ana@example.com'");
    }

    [Fact]
    public async Task Ids_of_type_uuid_become_text_and_their_foreign_key_goes()
    {
        await using var database = await postgres.CreateEmptyDatabaseAsync();
        await database.ExecuteAsync(ExistingInstallation.Tables(uuid: true));
        await database.ExecuteAsync(
            """
            insert into users (id, email) values ('7d9c8b7a-0000-4000-8000-000000000001', 'ana@example.com');
            insert into user_credits (user_id, credits_remaining) values ('7d9c8b7a-0000-4000-8000-000000000001', 5);
            insert into credit_transactions (user_id, amount, transaction_type) values ('7d9c8b7a-0000-4000-8000-000000000001', 5,
                'purchase');
            """);
        var rows = await database.ScalarAsync<string>(RowsSql);

        await database.MigrateAsync();

        Assert.Equal(rows, await database.ScalarAsync<string>(RowsSql));
        var replaced = await new AdoptionMarkStore(database.DataSource, TimeProvider.System).ReplacedAsync(CancellationToken.None);
        Assert.Single(replaced, line =>
            line.StartsWith("Dropped constraint user_credits_user_id_fkey of user_credits: FOREIGN KEY", StringComparison.Ordinal));
        Assert.Equal(2, replaced.Count(line => line.EndsWith("from uuid to text: the table was rewritten", StringComparison.Ordinal)));
        await database.ExecuteAsync("insert into user_credits (user_id) values ('f:ldap:ana')");
    }

    [Fact]
    public async Task Statements_that_compare_ids_find_accounts_by_index()
    {
        await using var database = await postgres.CreateEmptyDatabaseAsync();
        await database.ExecuteAsync(ExistingInstallation.Tables());
        await database.MigrateAsync();
        var plan = await database.QueryAsync<string>(
            "explain select c.user_id from keycloak_users k join user_credits c on c.user_id = k.account_id where k.realm = 'a' and "
                + "k.keycloak_id = 'b'");
        Assert.DoesNotContain(plan, line => line.Contains("Seq Scan on user_credits", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_troubleshooting_statements_run_unchanged()
    {
        await using var database = await postgres.CreateEmptyDatabaseAsync();
        await database.ExecuteAsync(ExistingInstallation.Tables());
        await database.OpenAsync("user@example.com", 5m);
        await database.MigrateAsync();
        foreach (var statement in ExistingInstallation.Troubleshooting)
            Assert.NotEmpty(await database.QueryAsync<object>(statement));
    }

    [Fact]
    public async Task A_database_of_the_bridges_own_is_left_as_it_is_and_has_nothing_to_adopt()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var mark = new AdoptionMarkStore(database.DataSource, TimeProvider.System);
        Assert.False(await mark.IsDueAsync(CancellationToken.None));
        Assert.Empty(await mark.ReplacedAsync(CancellationToken.None));
    }
}
