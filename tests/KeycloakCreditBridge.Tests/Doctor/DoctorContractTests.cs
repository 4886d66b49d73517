using KeycloakCreditBridge.Doctor;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Doctor;

[StartsPrograms]
public sealed class DoctorContractTests(KeycloakFixture servers, PostgresFixture postgres)
{
    [Theory, EveryKeycloak]
    public async Task A_realm_set_up_as_documented_passes_but_for_what_never_ran(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind);
        var settings = fixture.Settings.ToDictionary(pair => pair.Key, pair => (string?)pair.Value, StringComparer.Ordinal);

        var (exitCode, output, error) = await CommandProcess.RunAsync(settings, "doctor");

        Assert.Equal((0, ""), (exitCode, error));
        string[] wrong = [
            .. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => !line.StartsWith("ok ", StringComparison.Ordinal))];
        Assert.Equal(3, wrong.Length);
        Assert.StartsWith($"warn  reconciliation of {fixture.Realm}: the realm was never reconciled", wrong[0], StringComparison.Ordinal);
        Assert.StartsWith("warn  deliveries: the table of deliveries has no day for tomorrow", wrong[1], StringComparison.Ordinal);
        Assert.StartsWith(
            $"warn  webhook delivery of {fixture.Realm}: no bridge answers at {fixture.BridgeUrl}", wrong[2], StringComparison.Ordinal);
    }

    [Theory, EveryKeycloak]
    public async Task An_attribute_may_name_tier_and_account_where_users_cannot_edit_it(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Nothing);
        var token = TestContext.Current.CancellationToken;
        string[] settings = [
            .. fixture.Settings.Select(pair => $"--{pair.Key}={pair.Value}"), "--Provisioning:TierFrom:Attribute=plan",
            "--Provisioning:AccountId={attribute:plan}"];
        await using var services = Program.Compose(settings).Services.BuildServiceProvider();
        async Task ExpectAsync(Verdict verdict)
        {
            var checks = ActivatorUtilities.CreateInstance<AttributeChecks>(services);
            Assert.Equal(verdict, (await checks.TierAttributeAsync(fixture.Realm, token)).Verdict);
            Assert.Equal(verdict, (await checks.AccountIdAttributeAsync(fixture.Realm, token)).Verdict);
        }

        await ExpectAsync(Verdict.Ok);
        await fixture.Assignments.AllowUnmanagedAttributesAsync("ADMIN_EDIT", token);
        await ExpectAsync(Verdict.Ok);
        await fixture.Assignments.AllowUnmanagedAttributesAsync("ENABLED", token);
        await ExpectAsync(Verdict.Fail);
        await fixture.Assignments.DeclareAttributeAsync("plan", token, "admin");
        await ExpectAsync(Verdict.Ok);
        await fixture.Assignments.AllowUnmanagedAttributesAsync(null, token);
        await fixture.Assignments.DeclareAttributeAsync("plan", token, "admin", "user");
        await ExpectAsync(Verdict.Fail);
    }

    [Theory, EveryKeycloak]
    public async Task A_user_is_found_by_address_before_the_bridge_knows_the_user(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Nothing);
        var ana = await fixture.RegisterAsync("ana");
        var settings = fixture.Settings.ToDictionary(pair => pair.Key, pair => (string?)pair.Value, StringComparer.Ordinal);

        var (exitCode, output, _) = await CommandProcess.RunAsync(settings, "account", "show", "ana@example.com");

        Assert.Equal(0, exitCode);
        Assert.Contains($"{ana} in realm {fixture.Realm}\n", output, StringComparison.Ordinal);
        Assert.Contains("no hint of the user arrived", output, StringComparison.Ordinal);
    }
}
