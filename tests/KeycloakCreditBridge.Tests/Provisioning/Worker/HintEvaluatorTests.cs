using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;
using KeycloakCreditBridge.Provisioning.Worker;
using KeycloakCreditBridge.Tests.Keycloak;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Provisioning.Worker;

/// <summary>Whose fault it is when a user cannot be read: the user's, and counted, or that of a Keycloak that answers for nobody.</summary>
public sealed class HintEvaluatorTests
{
    private const string Anybody = "/admin/realms/shop/users/";

    private static readonly RequestDelegate IsUnknown = ScriptedKeycloak.Says(404, """{"error":"User not found"}""");
    private static readonly RequestDelegate Fails = ScriptedKeycloak.Says(500, """{"error":"unknown_error"}""");

    [Fact]
    public async Task A_user_that_Keycloak_returns_under_another_id_is_not_evaluated_and_delays_no_other_user()
    {
        await using var bundle = await ClientFixture.StartAsync();
        bundle.Server.On($"{Anybody}ANA", ScriptedKeycloak.Says(200, """{"id":"ana","username":"ana","enabled":true}"""));
        bundle.Server.On($"{Anybody}ben", Is("ben"));

        var verdicts = await JudgeAsync(bundle, Claimed(bundle, "ANA", attempts: 10), Claimed(bundle, "ben"));

        Assert.Equal("ben", Assert.Single(verdicts.DesiredStates).KeycloakId);
        var postponed = Assert.Single(verdicts.Postponed);
        Assert.Equal(("ANA", true), (postponed.Hint.KeycloakId, postponed.Dead));
        Assert.Contains("another id, 'ana'", postponed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failure_for_one_user_is_no_outage_while_Keycloak_answers_for_others()
    {
        await using var bundle = await ClientFixture.StartAsync();
        bundle.Server.On($"{Anybody}ana", Fails);
        bundle.Server.On($"{Anybody}ben", Is("ben"));

        var verdicts = await JudgeAsync(bundle, Claimed(bundle, "ana", attempts: 10), Claimed(bundle, "ben"));

        Assert.Empty(verdicts.Outages);
        Assert.Equal("ben", Assert.Single(verdicts.DesiredStates).KeycloakId);
        Assert.True(Assert.Single(verdicts.Postponed).Dead);
    }

    [Fact]
    public async Task A_failure_for_the_only_user_of_a_batch_is_no_outage_while_Keycloak_answers()
    {
        await using var bundle = await ClientFixture.StartAsync();
        bundle.Server.On(Anybody, IsUnknown);
        bundle.Server.On($"{Anybody}ana", Fails);

        var verdicts = await JudgeAsync(bundle, Claimed(bundle, "ana", attempts: 10));

        Assert.Empty(verdicts.Outages);
        Assert.True(Assert.Single(verdicts.Postponed).Dead);
    }

    [Fact]
    public async Task A_user_in_a_hanging_directory_delays_the_others_for_half_a_lease_at_most_and_costs_an_attempt()
    {
        await using var bundle = await ClientFixture.StartAsync();
        bundle.Server.On(Anybody, IsUnknown);
        bundle.Server.On($"{Anybody}ana", ScriptedKeycloak.Hangs);
        bundle.Server.On($"{Anybody}ben", Is("ben"));

        var verdicts = await JudgeAsync(bundle, Claimed(bundle, "ana"), Claimed(bundle, "ben"));

        Assert.Equal("ben", Assert.Single(verdicts.DesiredStates).KeycloakId);
        var postponed = Assert.Single(verdicts.Postponed);
        Assert.Equal(1, postponed.Attempts);
        Assert.Contains("within 00:00:15", postponed.Error, StringComparison.Ordinal);
        Assert.Single(bundle.Server.Targets, target => target.EndsWith("/ana", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(404, """{"error":"default backend"}""")]
    [InlineData(404, """{"error":"Realm not found."}""")]
    [InlineData(200, "<html>We will be back soon</html>")]
    [InlineData(500, "")]
    public async Task An_error_that_every_user_gets_costs_no_hint_an_attempt(int status, string body)
    {
        await using var bundle = await ClientFixture.StartAsync();
        bundle.Server.On(Anybody, ScriptedKeycloak.Says(status, body));

        var verdicts = await JudgeAsync(bundle, Claimed(bundle, "ana", attempts: 10), Claimed(bundle, "ben", attempts: 10));

        Assert.Single(verdicts.Outages);
        Assert.Equal([9, 9], verdicts.Postponed.Select(postponed => postponed.Attempts));
        Assert.DoesNotContain(verdicts.Postponed, postponed => postponed.Dead);
    }

    [Fact]
    public async Task A_hint_not_started_within_half_a_lease_is_released_without_an_attempt()
    {
        await using var bundle = await ClientFixture.StartAsync();
        bundle.Server.On(Anybody, context =>
        {
            bundle.Clock.Advance(TimeSpan.FromSeconds(10));
            return IsUnknown(context);
        });

        var hints = Enumerable.Range(0, 5).Select(number => Claimed(bundle, $"user-{number}"));
        var verdicts = await Judge(bundle, readers: 1).EvaluateAsync([.. hints], ClientFixture.Cancellation);

        Assert.Equal(3, verdicts.Postponed.Count(postponed => postponed.Attempts == 0));
    }

    private static RequestDelegate Is(string id) => ScriptedKeycloak.Says(200, $$"""{"id":"{{id}}","username":"{{id}}","enabled":true}""");

    private static ClaimedHint Claimed(ClientFixture bundle, string user, int attempts = 1) =>
        new("shop", user, 1, HintSources.Webhook, "REGISTER", HintKind.Changed, bundle.Clock.GetUtcNow(), attempts);

    private static Task<HintEvaluations> JudgeAsync(ClientFixture bundle, params ClaimedHint[] hints) =>
        bundle.DriveAsync(Judge(bundle, new HintOptions().Readers).EvaluateAsync(hints, ClientFixture.Cancellation));

    private static HintEvaluator Judge(ClientFixture bundle, int readers)
    {
        var policy = new GrantPolicy(Options.Create(new ProvisioningOptions()));
        return new(
            new SubjectReader(bundle.Client, policy), WorkerFixture.NothingStored(policy), policy, Options.Create(new HintOptions { Readers = readers }), bundle.Clock);
    }
}
