using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.InUse;
using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Storage.Replicas;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Grants.InUse;

/// <summary>No program spends ended credits because it does not know them.</summary>
public sealed class LotsInUseTests(PostgresFixture postgres)
{
    private static readonly GrantsOptions Ends = new() { Opening = { ExpiresAfter = TimeSpan.FromDays(30) } };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_first_end_waits_until_replicas_that_do_not_know_lots_have_stopped()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var replicas = new ReplicaStore(database.DataSource);
        await replicas.SeenAsync("old-one", "1.0.0", 39, "", Token);
        var lots = new LotsInUse(database.DataSource, Options.Create(Ends));
        Assert.Contains("old-one (version 1.0.0)", await lots.FindProblemAsync(Token), StringComparison.Ordinal);
        await Assert.ThrowsAsync<OlderReplicasException>(() => lots.EnsureAsync(Token));
        await OlderProgram(database).MigrateAsync(Token);

        await replicas.RemoveAsync("old-one", Token);
        Assert.Null(await lots.FindProblemAsync(Token));
        var refused = await Assert.ThrowsAsync<MigrationException>(() => OlderProgram(database).MigrateAsync(Token));
        Assert.Contains("0040", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_roles_that_write_grants_require_lots_and_those_from_before_keep_it()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var (writer, reader) = ($"writer_{database.Name}", $"reader_{database.Name}");
        await database.ExecuteAsync(
            $"create role {writer}; create role {reader}; grant insert on credit_grants to {writer};"
            + $"grant select on credit_grants to {reader}; grant execute on function credit_require_lots(boolean) to public");
        try
        {
            await database.ExecuteAsync(Migration.Embedded.Single(migration => migration.Version == 60).Sql);
            Assert.Equal((true, false), (await MayAsync(writer), await MayAsync(reader)));
        }
        finally
        {
            await database.ExecuteAsync($"drop owned by {writer}; drop owned by {reader}; drop role {writer}; drop role {reader}");
        }

        Task<bool> MayAsync(string role) => database.ScalarAsync<bool>(
            "select has_function_privilege(@role, 'credit_require_lots(boolean)', 'execute')", new { role });
    }

    [Fact]
    public async Task Without_ends_an_older_program_works_on_the_schema()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        Assert.Null(await new LotsInUse(database.DataSource, Options.Create(new GrantsOptions())).FindProblemAsync(Token));
        Assert.Equal(0, await OlderProgram(database).MigrateAsync(Token));
    }

    [StartsPrograms, Fact]
    public async Task The_way_back_is_open_when_no_credits_have_an_end()
    {
        await using var fixture = await GrantFixture.CreateAsync(postgres);
        await new LotsInUse(fixture.Database.DataSource, Options.Create(Ends)).EnsureAsync(Token);
        await fixture.OpenAsync("ana");
        await fixture.GiveAsync("ana", "a", 5, days: 30);

        var (refused, _, reason) = await GoBackAsync(fixture.Database);
        Assert.Equal(1, refused);
        Assert.Contains("1 accounts have credits with an end", reason, StringComparison.Ordinal);
        await Assert.ThrowsAsync<MigrationException>(() => OlderProgram(fixture.Database).MigrateAsync(Token));

        fixture.Time.Advance(TimeSpan.FromDays(31));
        await fixture.Book.SettleAsync("ana", Token);
        var (done, _, error) = await GoBackAsync(fixture.Database);
        Assert.True(done == 0, error);
        Assert.Equal(0, await OlderProgram(fixture.Database).MigrateAsync(Token));
    }

    private static Task<(int ExitCode, string Output, string Error)> GoBackAsync(TestDatabase database) => CommandProcess.RunAsync(
        new Dictionary<string, string?> { ["Storage:ConnectionString"] = database.ConnectionString }, "migrate", "--before-lots");

    private static Migrator OlderProgram(TestDatabase database) =>
        new(database.DataSource, TimeProvider.System, NullLogger<Migrator>.Instance)
        {
            Known = [.. Migration.Embedded.Where(migration => migration.Version < 40)],
        };
}
