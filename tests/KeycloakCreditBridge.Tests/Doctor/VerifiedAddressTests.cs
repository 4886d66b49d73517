using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Doctor;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Keycloak;
using Microsoft.Extensions.Options;
using static KeycloakCreditBridge.Tests.Keycloak.ScriptedKeycloak;

namespace KeycloakCreditBridge.Tests.Doctor;

/// <summary>Whether a verified address is what its name says.</summary>
public sealed class VerifiedAddressTests
{
    [Theory]
    [InlineData(200, true, Verdict.Warn)]
    [InlineData(400, true, Verdict.Ok)]
    [InlineData(200, false, Verdict.Ok)]
    internal async Task An_older_server_is_warned_of_where_grants_wait_for_verified_addresses(int answer, bool waits, Verdict expected)
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users?max=0", Says(answer, answer == 200 ? "[]" : """{"error":"Invalid date"}"""));
        var grants = new GrantsOptions
        {
            Welcome = new WelcomeOptions { Credits = 5m, Requires = waits ? [Requirements.EmailVerified] : [] },
        };
        var policy = new GrantPolicy(Options.Create(new ProvisioningOptions()), grants: Options.Create(grants));
        var checks = new AttributeChecks(null!, null!, Hot.Of(policy), fixture.Client, fixture.Events);
        var finding = await checks.VerifiedAddressesAsync("shop", ClientFixture.Cancellation);
        Assert.Equal(expected, finding.Verdict);
    }
}
