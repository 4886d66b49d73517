using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning;
using KeycloakCreditBridge.Tests.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Provisioning;

public sealed class HintJudgeTests
{
    [Fact]
    public async Task A_user_whom_Keycloak_answers_under_another_id_is_not_judged_and_holds_up_nobody()
    {
        await using var bundle = await ClientBundle.StartAsync();
        bundle.Server.On("/users/ANA", ScriptedKeycloak.Says(200, """{"id":"ana","username":"ana","enabled":true}"""));
        bundle.Server.On("/users/ben", ScriptedKeycloak.Says(200, """{"id":"ben","username":"ben","enabled":true}"""));
        var policy = new GrantPolicy(Options.Create(new ProvisioningOptions()));
        var judge = new HintJudge(
            new SubjectReader(bundle.Client, policy), WorkerBench.NothingStored(policy), policy, Options.Create(new HintOptions()), bundle.Clock);

        var verdicts = await bundle.DriveAsync(
            judge.JudgeAsync([Claimed("ANA", attempts: 10), Claimed("ben", attempts: 1)], ClientBundle.Cancellation));

        Assert.Equal("ben", Assert.Single(verdicts.Judgements).KeycloakId);
        var postponed = Assert.Single(verdicts.Postponed);
        Assert.Equal(("ANA", true), (postponed.Hint.KeycloakId, postponed.Dead));
        Assert.Contains("another id, 'ana'", postponed.Error, StringComparison.Ordinal);

        ClaimedHint Claimed(string user, int attempts) =>
            new("shop", user, 1, HintSources.Webhook, "REGISTER", HintKind.Changed, bundle.Clock.GetUtcNow(), attempts);
    }
}
