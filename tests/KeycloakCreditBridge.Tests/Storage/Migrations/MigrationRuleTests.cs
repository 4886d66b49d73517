using System.Text.RegularExpressions;
using KeycloakCreditBridge.Storage.Migrations;

namespace KeycloakCreditBridge.Tests.Storage.Migrations;

/// <summary>What a migration may do while programs of the release before it run. Older ones are applied and never edited.</summary>
public sealed partial class MigrationRuleTests
{
    private const int FirstWithRule = 25;

    [Fact]
    public void A_migration_adds_or_says_what_it_requires() => Findings.None(Migration.Embedded
        .Where(migration => migration.Version >= FirstWithRule && !Says().IsMatch(migration.Sql))
        .SelectMany(migration => Breaking(migration.Sql).Select(statement =>
            $"{migration.Name} has '{statement}': an older program may stop working. Begin the file with '-- requires: NNNN', the "
            + "migration that a program must have to go on, or with '-- additive: ' and the reason why none stops.")));

    [Fact]
    public void A_required_migration_is_there_and_is_no_later_one() => Findings.None(Migration.Embedded
        .Where(migration => migration.Requires > 0
            && !Migration.Embedded.Any(other => other.Version == migration.Requires && other.Version <= migration.Version))
        .Select(migration => $"{migration.Name} requires {migration.Requires:0000}, which is none of the migrations up to it"));

    [Theory]
    [InlineData("drop table leases")]
    [InlineData("alter table a drop column b")]
    [InlineData("alter table a drop constraint b")]
    [InlineData("alter table a rename column b to c")]
    [InlineData("alter table a alter column b type text")]
    [InlineData("alter table a alter b set data type text")]
    [InlineData("alter table a alter column b set not null")]
    [InlineData("alter table a alter column b drop default")]
    [InlineData("alter table a add column b text not null")]
    [InlineData("alter table a add constraint b check (c > 0)")]
    [InlineData("create unique index a on b (c)")]
    [InlineData("delete from a")]
    [InlineData("truncate a")]
    public void Statements_that_can_stop_an_older_program_are_found(string statement) => Assert.NotEmpty(Breaking(statement));

    [Theory]
    [InlineData("create table a (b text not null, c integer unique); create unique index d on a (c)")]
    [InlineData("alter table a add column b text")]
    [InlineData("alter table a add column b text not null default ''")]
    [InlineData("alter table a alter column b drop not null")]
    [InlineData("-- they drop nothing\ncreate index a on b (c)")]
    public void Statements_that_add_are_not(string statement) => Assert.Empty(Breaking(statement));

    private static IEnumerable<string> Breaking(string sql)
    {
        var text = Comment().Replace(sql, "");
        var created = Created().Matches(text).Select(table => table.Groups[1].Value).ToHashSet(StringComparer.Ordinal);
        return StopsOlder().Matches(text)
            .Where(statement => !created.Contains(statement.Groups["table"].Value))
            .Select(statement => statement.Value.Trim());
    }

    [GeneratedRegex(@"\A-- (requires: [0-9]{4}|additive: .+)\n")]
    private static partial Regex Says();

    [GeneratedRegex("--.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();

    [GeneratedRegex(@"create table (?:if not exists )?(\w+)")]
    private static partial Regex Created();

    [GeneratedRegex(
        """
        \bdrop\s+(?!not\s+null)\w+|\brename\b|\balter\s+(column\s+)?\w+\s+(set\s+data\s+)?type\b|\bset\s+not\s+null|\btruncate\b|
        \bdelete\s+from\b|\badd\s+column\s+(if\s+not\s+exists\s+)?\w+[^,;]*\bnot\s+null(?![^,;]*\bdefault\b)(?<!\bdefault\b[^,;]*)|
        \badd\s+(constraint|check|unique|foreign)\b|\bcreate\s+unique\s+index\s+(if\s+not\s+exists\s+)?\w+\s+on\s+(?<table>\w+)
        """,
        RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex StopsOlder();
}
