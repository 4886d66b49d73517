using Dapper;
using KeycloakCreditBridge.Keycloak.Database;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Contract.Ways.Production;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation;

/// <summary>What may happen to a run while it reads a real realm, in which one user has no creation time and one an absurd one.</summary>
public sealed class RealRunTests(ProductionKeycloakFixture keycloak, PostgresFixture postgres)
{
    private const int UserCount = 60;
    private const int NewUserCount = 8;

    private const string AddUsersSql =
        """
        insert into user_entity (id, email, email_constraint, email_verified, enabled, realm_id, username, created_timestamp, not_before)
        select p.id, p.id || '@example.com', p.id || '@example.com', false, true, r.id, 'person-' || p.number,
            case p.number % 40 when 7 then null when 8 then 5 else 1700000000000 + p.number * 86400000::bigint end, 0
        from realm r, (select gen_random_uuid()::text as id, number from generate_series(@First, @Last) number) p
        where r.name = @Realm
        """;

    private const string UserIdsSql =
        """
        select u.id from user_entity u join realm r on r.id = u.realm_id
        where r.name = @Realm and u.service_account_client_link is null
        order by u.id collate "C"
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [StartsPrograms, Theory]
    [InlineData("counts", "reviewed:1")]
    [InlineData("windows", "saved:2")]
    [InlineData("list", "read:2")]
    [InlineData("database", "closed")]
    public async Task A_killed_run_resumes_to_the_state_of_an_untouched_twin(string mode, string step)
    {
        await using var fixture = await SceneAsync();
        var settings = await SettingsAsync(fixture);
        await RunAsync(settings, fixture.Database, "windows");
        foreach (var deleted in (await UserIdsAsync(fixture)).Take(3))
            await fixture.Admin.DeleteUserAsync(fixture.Realm, deleted, Token);
        await AddUsersAsync(fixture, UserCount + 1, UserCount + NewUserCount);
        await using var killed = await postgres.CopyDatabaseAsync(fixture.Database);

        settings["Storage:ConnectionString"] = killed.ConnectionString;
        KillPoint.Plant(settings, step);
        var (exitCode, _, error) = await CommandProcess.RunAsync(
            settings, "reconcile", "--mode", mode, "--allow-closing", "3", "--realm", fixture.Realm);
        Assert.True(exitCode == KillPointTests.Killed, $"It ended with {exitCode}: {error}");
        await killed.ExecuteAsync("delete from leases");
        await RunAsync(settings, killed, mode);
        await RunAsync(settings, fixture.Database, mode);

        Assert.Equal(await ChangedRealmFixture.BooksAsync(fixture.Database), await ChangedRealmFixture.BooksAsync(killed));
        Assert.Equal(await UserIdsAsync(fixture), await ActiveAsync(killed));
        Assert.Equal(
            UserCount + NewUserCount,
            await killed.ScalarAsync<int>("select count(*)::int from credit_transactions where grant_key = 'signup'"));
    }

    [Theory]
    [InlineData("windows")]
    [InlineData("list")]
    public async Task Users_created_and_deleted_during_a_scan_are_neither_missed_nor_closed_for_another(string mode)
    {
        await using var fixture = await SceneAsync();
        var settings = await SettingsAsync(fixture);
        var users = await UserIdsAsync(fixture);

        var changing = ChangeAsync(fixture, [.. users.Take(10)]);
        do
            await RunAsync(settings, fixture.Database, mode);
        while (!changing.IsCompleted);
        await changing;
        Assert.Empty(users.Skip(10).Except(await ActiveAsync(fixture.Database)));
        await RunAsync(settings, fixture.Database, mode);

        Assert.Equal(await UserIdsAsync(fixture), await ActiveAsync(fixture.Database));
    }

    [Fact]
    public async Task Its_tables_show_whether_a_realm_has_a_directory()
    {
        await using var fixture = await ContractFixture.CreateAsync(await keycloak.GetAsync(), postgres, EventDelivery.Nothing);
        await using var bridge = BridgeFixture.Build(await SettingsAsync(fixture));
        var tables = bridge.Services.GetRequiredService<KeycloakDatabaseStore>();
        Assert.False(await tables.HasFederationAsync(fixture.Realm, Token));
        await fixture.Features.AddDirectoryAsync(new Uri("ldap://127.0.0.1:1"), "dc=example", import: false, Token);
        Assert.True(await tables.HasFederationAsync(fixture.Realm, Token));
    }

    // At both ends of the list and between.
    private static async Task ChangeAsync(ContractFixture fixture, string[] going)
    {
        for (var number = 0; number < going.Length; number++)
        {
            await fixture.CreateUserAsync($"{"amz"[number % 3]}-{number}");
            await fixture.Admin.DeleteUserAsync(fixture.Realm, going[number], Token);
        }
    }

    private async Task<ContractFixture> SceneAsync()
    {
        var fixture = await ContractFixture.CreateAsync(await keycloak.GetAsync(), postgres, EventDelivery.Nothing);
        await AddUsersAsync(fixture, 1, UserCount);
        return fixture;
    }

    private async Task<Dictionary<string, string?>> SettingsAsync(ContractFixture fixture) =>
        new(FaultFixture.Optional(fixture.Settings), StringComparer.OrdinalIgnoreCase)
        {
            ["Keycloak:Database:ConnectionString"] = await keycloak.CreateReaderAsync(),
            ["Reconciliation:PageSize"] = "10",
            ["Reconciliation:OverlapRows"] = "3",
            ["Reconciliation:WindowUsers"] = "10",
        };

    private static async Task RunAsync(Dictionary<string, string?> settings, TestDatabase database, string mode)
    {
        await using var bridge = BridgeFixture.Build(
            new Dictionary<string, string?>(
                settings, StringComparer.OrdinalIgnoreCase) { ["Storage:ConnectionString"] = database.ConnectionString });
        var request = ReconciliationFixture.By(mode) with { Realm = settings["Keycloak:Realms:0:Name"]!, AllowClosing = UserCount };
        var outcome = await ReconciliationFixture.RunAsync(bridge, request, null, Token);
        Assert.True(outcome.Status == ReconcileStatus.Done, outcome.Reason);
    }

    private static Task<IReadOnlyList<string>> ActiveAsync(TestDatabase database) =>
        database.QueryAsync<string>("select user_id from user_credits where status = 'active' order by user_id");

    private async Task AddUsersAsync(ContractFixture fixture, int first, int last)
    {
        await using var connection = await keycloak.Database.OpenConnectionAsync(Token);
        await connection.ExecuteAsync(AddUsersSql, new { fixture.Realm, First = first, Last = last });
    }

    private async Task<string[]> UserIdsAsync(ContractFixture fixture)
    {
        await using var connection = await keycloak.Database.OpenConnectionAsync(Token);
        return [.. await connection.QueryAsync<string>(UserIdsSql, new { fixture.Realm })];
    }
}
