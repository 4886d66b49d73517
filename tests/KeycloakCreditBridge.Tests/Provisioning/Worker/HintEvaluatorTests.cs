using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;
using KeycloakCreditBridge.Provisioning.Worker;
using KeycloakCreditBridge.Tests.Keycloak;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Provisioning.Worker;

/// <summary>A user that cannot be read costs its hint an attempt; a Keycloak that answers for no user costs none.</summary>
public sealed class HintEvaluatorTests
{
    private const string AnyUser = "/admin/realms/shop/users/";

    private static readonly RequestDelegate IsUnknown = ScriptedKeycloak.Says(404, """{"error":"User not found"}""");
    private static readonly RequestDelegate Fails = ScriptedKeycloak.Says(500, """{"error":"unknown_error"}""");

    [Fact]
    public async Task A_user_that_Keycloak_returns_under_another_id_is_not_evaluated_and_delays_no_other_user()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On($"{AnyUser}ANA", ScriptedKeycloak.Says(200, """{"id":"ana","username":"ana","enabled":true}"""));
        fixture.Server.On($"{AnyUser}ben", Is("ben"));

        var evaluations = await EvaluateAsync(fixture, Claimed(fixture, "ANA", attempts: 10), Claimed(fixture, "ben"));

        Assert.Equal("ben", Assert.Single(evaluations.DesiredStates).KeycloakId);
        var postponed = Assert.Single(evaluations.Postponed);
        Assert.Equal(("ANA", true), (postponed.Hint.KeycloakId, postponed.Dead));
        Assert.Contains("another id, 'ana'", postponed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failure_for_one_user_is_no_outage_while_Keycloak_answers_for_others()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On($"{AnyUser}ana", Fails);
        fixture.Server.On($"{AnyUser}ben", Is("ben"));

        var evaluations = await EvaluateAsync(fixture, Claimed(fixture, "ana", attempts: 10), Claimed(fixture, "ben"));

        Assert.Empty(evaluations.Outages);
        Assert.Equal("ben", Assert.Single(evaluations.DesiredStates).KeycloakId);
        Assert.True(Assert.Single(evaluations.Postponed).Dead);
    }

    [Fact]
    public async Task A_failure_for_the_only_user_of_a_batch_is_no_outage_while_Keycloak_answers()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On(AnyUser, IsUnknown);
        fixture.Server.On($"{AnyUser}ana", Fails);

        var evaluations = await EvaluateAsync(fixture, Claimed(fixture, "ana", attempts: 10));

        Assert.Empty(evaluations.Outages);
        Assert.True(Assert.Single(evaluations.Postponed).Dead);
    }

    [Fact]
    public async Task A_user_in_a_hanging_directory_delays_the_others_for_half_a_lease_at_most_and_costs_an_attempt()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On(AnyUser, IsUnknown);
        fixture.Server.On($"{AnyUser}ana", ScriptedKeycloak.Hangs);
        fixture.Server.On($"{AnyUser}ben", Is("ben"));

        var evaluations = await EvaluateAsync(fixture, Claimed(fixture, "ana"), Claimed(fixture, "ben"));

        Assert.Equal("ben", Assert.Single(evaluations.DesiredStates).KeycloakId);
        var postponed = Assert.Single(evaluations.Postponed);
        Assert.Equal(1, postponed.Attempts);
        Assert.Contains("within 00:00:15", postponed.Error, StringComparison.Ordinal);
        Assert.Single(fixture.Server.Targets, target => target.EndsWith("/ana", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(404, """{"error":"default backend"}""")]
    [InlineData(404, """{"error":"Realm not found."}""")]
    [InlineData(200, "<html>We will be back soon</html>")]
    [InlineData(500, "")]
    public async Task An_error_that_every_user_gets_costs_no_hint_an_attempt(int status, string body)
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On(AnyUser, ScriptedKeycloak.Says(status, body));

        var evaluations = await EvaluateAsync(fixture, Claimed(fixture, "ana", attempts: 10), Claimed(fixture, "ben", attempts: 10));

        Assert.Single(evaluations.Outages);
        Assert.Equal([9, 9], evaluations.Postponed.Select(postponed => postponed.Attempts));
        Assert.DoesNotContain(evaluations.Postponed, postponed => postponed.Dead);
    }

    [Fact]
    public async Task A_hint_not_started_within_half_a_lease_is_released_without_an_attempt()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On(AnyUser, context =>
        {
            fixture.Clock.Advance(TimeSpan.FromSeconds(10));
            return IsUnknown(context);
        });

        var hints = Enumerable.Range(0, 5).Select(number => Claimed(fixture, $"user-{number}"));
        var evaluations = await Evaluator(fixture, readers: 1).EvaluateAsync([.. hints], ClientFixture.Cancellation);

        Assert.Equal(3, evaluations.Postponed.Count(postponed => postponed.Attempts == 0));
    }

    private static RequestDelegate Is(string id) => ScriptedKeycloak.Says(200, $$"""{"id":"{{id}}","username":"{{id}}","enabled":true}""");

    private static ClaimedHint Claimed(ClientFixture fixture, string user, int attempts = 1) =>
        new("shop", user, 1, HintSources.Webhook, "REGISTER", HintKind.Changed, fixture.Clock.GetUtcNow(), attempts);

    private static Task<HintEvaluations> EvaluateAsync(ClientFixture fixture, params ClaimedHint[] hints) =>
        fixture.DriveAsync(Evaluator(fixture, new HintOptions().Readers).EvaluateAsync(hints, ClientFixture.Cancellation));

    private static HintEvaluator Evaluator(ClientFixture fixture, int readers)
    {
        var policy = new GrantPolicy(Options.Create(new ProvisioningOptions()));
        return new(
            new SubjectReader(fixture.Client), WorkerFixture.NothingStored(), Hot.Of(policy),
                Options.Create(new HintOptions { Readers = readers }), fixture.Clock);
    }
}
