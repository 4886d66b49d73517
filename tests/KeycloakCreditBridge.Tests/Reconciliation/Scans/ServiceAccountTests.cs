using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans;

/// <summary>Accounts of service accounts: opened from a token whose claims a client maps, before Keycloak was asked.</summary>
public sealed class ServiceAccountTests(PostgresFixture postgres)
{
    [Theory]
    [InlineData("Windows", "service_account")]
    [InlineData("Windows", "account")]
    [InlineData("List", "service_account")]
    [InlineData("List", "account")]
    public async Task The_account_of_a_service_account_is_closed_by_a_complete_scan(string mode, string recorded)
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 5);
        await fixture.RunAsync(ReconciliationFixture.By("Windows"));
        var robot = (await fixture.Database.ScalarAsync<string>(
            "select keycloak_id from keycloak_users where user_state = 'service_account'"))!;
        await OpenAsync(fixture, robot);
        await fixture.Database.ExecuteAsync(
            "update keycloak_users set user_state = @recorded where keycloak_id = @robot", new { robot, recorded });

        await fixture.RunAsync(ReconciliationFixture.By(mode));

        Assert.Equal(
            ["closed service_account"],
            await fixture.Database.QueryAsync<string>(
                "select status || ' ' || coalesce(status_reason, '') from user_credits where user_id = @robot", new { robot }));
        Assert.Equal(5, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_credits where status = 'active'"));
    }

    // As for a user, since nothing told otherwise.
    private static Task<ConvergeResult> OpenAsync(ReconciliationFixture fixture, string id)
    {
        var now = DateTimeOffset.UtcNow;
        var state = fixture.Bridge.Services.GetRequiredService<Hot<GrantPolicy>>().Current.Evaluate(
            new Subject(EmulatorFixture.Realm, id, true, false, now.AddDays(-1)) { Username = "robot" }, now, HintSources.FirstRead);
        return fixture.Bridge.Services.GetRequiredService<Provisioner>().ConvergeAsync([state], TestContext.Current.CancellationToken);
    }
}
