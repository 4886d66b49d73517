using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Awards;

/// <summary>What policies cost Keycloak when all users are read.</summary>
public sealed class CompleteRunTests(PostgresFixture postgres)
{
    private const int Users = 10_000;
    private const string List = "GET /admin/realms/{realm}/users";

    [Fact]
    public async Task A_complete_run_over_10_000_users_to_whom_nothing_is_due_asks_for_lists_only()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, Users);
        await using var bridge = BridgeFixture.Build(
            fixture.Database, fixture.Keycloak, ("Reconciliation:PageSize", "1000"),
            ("Grants:Welcome:Credits", "5"), ("Grants:Welcome:Before", "1"), ("Grants:Welcome:Requires:0", "email_verified"),
            ("Grants:Welcome:Rules:0:When:Group", "/partners"), ("Grants:Welcome:Rules:0:Credits", "60"),
            ("Grants:Tasks:mfa:Evidence:Credential:0", "otp"), ("Grants:Tasks:mfa:Credits", "1"),
            ("Grants:Tasks:verify:Evidence:EmailVerified", "true"), ("Grants:Tasks:verify:Credits", "1"));
        await RunAsync(bridge);
        Assert.Equal((long)Users, await fixture.Database.ScalarAsync<long>(
            "select count(*) from user_credits where credits_remaining = 1 and withheld_credits = 4"));

        fixture.Keycloak.Server.Requests.Reset();
        await RunAsync(bridge);

        Assert.InRange(fixture.Keycloak.Server.Requests[List], 10, 20);
        Assert.DoesNotContain(fixture.Keycloak.Server.Requests.All.Keys, route => route.Contains("{id}", StringComparison.Ordinal));
        Assert.Equal(0, await fixture.Database.ScalarAsync<long>("select count(*) from user_hints"));
    }

    private static async Task RunAsync(BridgeFixture bridge)
    {
        var outcome = await ReconciliationFixture.RunAsync(
            bridge, ReconciliationFixture.AllUsers, null, TestContext.Current.CancellationToken);
        Assert.Equal(Users, outcome.Counts.Seen);
    }
}
