using KeycloakCreditBridge.Operations.Diagnosis;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Operations;

public sealed class DoctorContractTests(KeycloakServers servers, PostgresServer postgres)
{
    [Theory, EveryKeycloak]
    public async Task A_realm_that_was_set_up_as_documented_has_nothing_wrong_but_what_never_ran(KeycloakKind kind)
    {
        await using var scene = await ContractScene.CreateAsync(servers, postgres, kind);
        var settings = scene.Settings.ToDictionary(pair => pair.Key, pair => (string?)pair.Value, StringComparer.Ordinal);

        var (exitCode, output, error) = await CommandProcess.RunAsync(settings, "doctor");

        Assert.Equal((0, ""), (exitCode, error));
        string[] wrong = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => !line.StartsWith("ok ", StringComparison.Ordinal))];
        Assert.Equal(2, wrong.Length);
        Assert.StartsWith($"warn  reconciliation of {scene.Realm}: the realm was never reconciled", wrong[0], StringComparison.Ordinal);
        Assert.StartsWith($"warn  webhook delivery of {scene.Realm}: no bridge answers at {scene.BridgeUrl}", wrong[1], StringComparison.Ordinal);
    }

    [Theory, EveryKeycloak]
    public async Task An_attribute_may_say_the_tier_where_people_cannot_edit_it(KeycloakKind kind)
    {
        await using var scene = await ContractScene.CreateAsync(servers, postgres, kind, Hearing.Nothing);
        var token = TestContext.Current.CancellationToken;
        string[] settings = [.. scene.Settings.Select(pair => $"--{pair.Key}={pair.Value}"), "--Provisioning:TierFrom:Attribute=plan"];
        await using var services = Program.Compose(settings).Services.BuildServiceProvider();
        async Task ExpectAsync(Verdict verdict) =>
            Assert.Equal(verdict, (await ActivatorUtilities.CreateInstance<TierChecks>(services).AttributeAsync(scene.Realm, token)).Verdict);

        await ExpectAsync(Verdict.Ok);
        await scene.Ties.AllowUnmanagedAttributesAsync("ADMIN_EDIT", token);
        await ExpectAsync(Verdict.Ok);
        await scene.Ties.AllowUnmanagedAttributesAsync("ENABLED", token);
        await ExpectAsync(Verdict.Fail);
        await scene.Ties.DeclareAttributeAsync("plan", token, "admin");
        await ExpectAsync(Verdict.Ok);
        await scene.Ties.AllowUnmanagedAttributesAsync(null, token);
        await scene.Ties.DeclareAttributeAsync("plan", token, "admin", "user");
        await ExpectAsync(Verdict.Fail);
    }

    [Theory, EveryKeycloak]
    public async Task A_person_is_found_by_address_before_the_bridge_heard_of_them(KeycloakKind kind)
    {
        await using var scene = await ContractScene.CreateAsync(servers, postgres, kind, Hearing.Nothing);
        var ana = await scene.RegisterAsync("ana");
        var settings = scene.Settings.ToDictionary(pair => pair.Key, pair => (string?)pair.Value, StringComparer.Ordinal);

        var (exitCode, output, _) = await CommandProcess.RunAsync(settings, "account", "show", "ana@example.com");

        Assert.Equal(0, exitCode);
        Assert.Contains($"{ana} in realm {scene.Realm}\n", output, StringComparison.Ordinal);
        Assert.Contains("not heard of the user", output, StringComparison.Ordinal);
    }
}
