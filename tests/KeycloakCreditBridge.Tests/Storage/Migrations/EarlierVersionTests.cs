using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Running;

namespace KeycloakCreditBridge.Tests.Storage.Migrations;

[StartsPrograms]
public sealed class EarlierVersionTests
{
    private const string LedgerSql =
        """
        select concat_ws(' ', user_id, credits_remaining, credits_allocated, tier, last_reset, status) from user_credits
        union all
        select concat_ws(' ', id, user_id, amount, balance_after, transaction_type, created_at, grant_key) from credit_transactions
        union all
        select concat_ws(' ', id, user_id, action) from audit_logs
        order by 1
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Its_accounts_and_hints_go_on_and_nothing_is_granted_twice()
    {
        await using var fixture = await FaultFixture.CreateAsync();
        await EarlierVersion.WriteAsync(fixture.Database, Token);
        var before = await fixture.Database.QueryAsync<string>(LedgerSql);
        var users = EarlierVersion.Users;
        var realm = fixture.Keycloak.Realm(FaultFixture.Realm);
        for (var number = 0; number < users.Length; number++)
            realm.AddUser(new EmulatedUser(users[number], $"user-{number}"));
        // The earlier program stopped with these hints in its hands.
        await fixture.Database.ExecuteAsync(
            """
            insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at)
            select 'demo', id, nextval('user_hints_version'), 'webhook', 'REGISTER', 'changed', now(), now() from unnest(@Users) as u (id)
            """,
            new { Users = users });

        await using var bridge = await BridgeProcess.StartAsync(fixture.BridgeUrl, fixture.HintsOnly);
        await Eventually.TrueAsync(
            async () => await fixture.CountAsync("user_hints where state = 'waiting'") == 0, "the hints are processed");
        Assert.Equal(before, await fixture.Database.QueryAsync<string>(LedgerSql));
        Assert.Equal(1, await fixture.CountAsync("user_hints where state = 'dead'"));

        await fixture.CreateUserAsync("new");
        await Eventually.TrueAsync(async () => await fixture.AccountsAsync() == users.Length + 1, "a new user gets an account");
        Assert.Equal(users.Length + 1, await fixture.CountAsync("credit_transactions where grant_key = 'signup'"));
        Assert.True(await bridge.TerminateAsync());
    }
}
