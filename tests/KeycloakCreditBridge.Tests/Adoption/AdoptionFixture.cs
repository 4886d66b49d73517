using System.Globalization;
using KeycloakCreditBridge.Adoption;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Adoption;

/// <summary>An existing installation's database, migrated after the test has filled it, and an emulated Keycloak.</summary>
internal sealed class AdoptionFixture : IAsyncDisposable
{
    public const string BrokenBooksSql =
        """
        select c.user_id from user_credits c
        where c.credits_remaining <> (select coalesce(sum(t.amount), 0) from credit_transactions t where t.user_id = c.user_id)
            or (select count(*) from credit_transactions t where t.user_id = c.user_id and t.grant_key = 'signup') <> 1
        """;

    // Everything but times and generated ids.
    private const string StateSql =
        """
        select concat_ws(' ', 'account', user_id, credits_remaining, credits_allocated, tier, realm, keycloak_id, status) from user_credits
        union all
        select concat_ws(' ', 'ledger', user_id, amount, transaction_type, grant_key, balance_after, metadata) from credit_transactions
        union all
        select concat_ws(' ', 'audit', user_id, action, metadata) from audit_logs
        union all
        select concat_ws(' ', 'known', realm, keycloak_id, account_id, user_state) from keycloak_users
        order by 1
        """;

    private const string VersionsSql =
        """
        select concat_ws(' ', 'account', user_id, xmin) from user_credits
        union all
        select concat_ws(' ', 'ledger', id, xmin) from credit_transactions
        union all
        select concat_ws(' ', 'audit', id, xmin) from audit_logs
        union all
        select concat_ws(' ', 'known', keycloak_id, xmin) from keycloak_users
        order by 1
        """;

    private AdoptionFixture(TestDatabase database, EmulatorFixture keycloak) => (Database, Keycloak) = (database, keycloak);

    public TestDatabase Database { get; }

    public EmulatorFixture Keycloak { get; }

    public EmulatedRealm Realm => Keycloak.Server.Realm(EmulatorFixture.Realm);

    public Dictionary<string, string?> Settings => BridgeFixture.Settings(Database.ConnectionString, Keycloak.Server.Url);

    public static async Task<AdoptionFixture> StartAsync(PostgresFixture postgres, EmulatorFixture? keycloak = null)
    {
        var database = await postgres.CreateEmptyDatabaseAsync();
        await database.ExecuteAsync(ExistingInstallation.Tables());
        return new AdoptionFixture(database, keycloak ?? await EmulatorFixture.StartAsync());
    }

    public void AddUser(string id, string? email = null, bool verified = true) =>
        Realm.AddUser(new EmulatedUser(id, id) { Email = email, EmailVerified = verified });

    public BridgeFixture NewBridge(params (string Key, string? Value)[] more) => BridgeFixture.Build(Database, Keycloak, more);

    /// <summary>Migrates if need be and adopts.</summary>
    public async Task<AdoptionReport> ApplyAsync(bool trustAddresses = false, params (string Key, string? Value)[] more)
    {
        await Database.MigrateAsync();
        await using var bridge = NewBridge(more);
        return await bridge.Services.GetRequiredService<Adopter>().ApplyAsync(
            new AdoptionOptions(trustAddresses, 5, 2), new Progress<long>(), TestContext.Current.CancellationToken);
    }

    public async Task<AdoptionReport> PlanAsync(params (string Key, string? Value)[] more)
    {
        await Database.MigrateAsync();
        await using var bridge = NewBridge(more);
        return await bridge.Services.GetRequiredService<Adopter>().PlanAsync(
            new AdoptionOptions(TrustAddresses: false, 5, 2), TestContext.Current.CancellationToken);
    }

    /// <summary>`id balance of owner`.</summary>
    public async Task<string[]> AccountsAsync() => [.. await Database.QueryAsync<string>(
        """
        select concat_ws(' ', user_id, credits_remaining::numeric(9, 2), 'of ' || keycloak_id)
            from user_credits order by user_id collate "C"
        """)];

    /// <summary>`type amount key`, of one account in the order in which it was written.</summary>
    public async Task<string[]> LedgerAsync(string id) => [.. await Database.QueryAsync<string>(
        """
        select concat_ws(' ', transaction_type, amount::numeric(9, 2), grant_key) from credit_transactions where user_id = @Id
        order by created_at, transaction_type desc, grant_key nulls last
        """,
        new { Id = id })];

    public async Task<string[]> StateAsync() => [.. await Database.QueryAsync<string>(StateSql)];

    public async Task<string[]> VersionsAsync() => [.. await Database.QueryAsync<string>(VersionsSql)];

    public async Task AssertBooksAsync() => Assert.Empty(await Database.QueryAsync<string>(BrokenBooksSql));

    /// <summary>What a report says of each finding: `name count`.</summary>
    public static string[] Counts(AdoptionReport report) =>
        [
            .. report.Findings.Select(finding => string.Create(CultureInfo.InvariantCulture, $"{finding.Name} {finding.Count}"))
                .Order(StringComparer.Ordinal),
        ];

    public async ValueTask DisposeAsync()
    {
        await Keycloak.DisposeAsync();
        await Database.DisposeAsync();
    }
}
