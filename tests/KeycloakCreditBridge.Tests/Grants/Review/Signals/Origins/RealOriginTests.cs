using System.Text.Json.Nodes;
using KeycloakCreditBridge.Grants.Review;
using KeycloakCreditBridge.Grants.Review.Signals;
using KeycloakCreditBridge.Grants.Review.Signals.Origins;
using KeycloakCreditBridge.Sandbox.Keycloak.Browsers;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Grants.Review.Signals.Origins;

/// <summary>From where users of a real Keycloak registered, by its own events.</summary>
public sealed class RealOriginTests(KeycloakFixture servers, PostgresFixture postgres)
{
    private const string KeptSql =
        """
        select string_agg(coalesce(o.missing, 'network'), ' ' order by k.created_at)
        from fraud_origins o join keycloak_users k using (realm, keycloak_id)
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(KeycloakKind.Keycloak26_7)]
    [InlineData(KeycloakKind.Keycloak26_0)]
    public async Task Registrations_from_one_64_are_told_by_polling_and_by_reading_back(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Polling);
        // By default a realm answers public addresses over https alone.
        await fixture.Features.UpdateRealmAsync(new JsonObject { ["sslRequired"] = "none" }, Token);
        await fixture.LaunchBridgeAsync(("Grants:Fraud:Enabled", "true"), ("Grants:Fraud:Key", new string('k', 32)));
        List<Candidate> users = [];
        for (var number = 1; number <= 3; number++)
            users.Add(await RegisteredAsync($"user{number}", $"2001:db8:7:7::{number}"));
        // Without its header the proxy's own address is all that Keycloak knows.
        users.Add(await RegisteredAsync("behind", null));
        users.Add(Candidate(await fixture.CreateUserAsync("made")));

        await Eventually.TrueAsync(
            async () => await fixture.Database.ScalarAsync<string>(KeptSql) == "network network network private administrator",
            "all registrations are polled");
        await AssertToldAsync(users);

        await fixture.Database.ExecuteAsync("delete from fraud_origins");
        await AssertToldAsync(users);
        await fixture.Database.ExecuteAsync("delete from fraud_origins where in_hour = 3");
        await AssertToldAsync([users[2]], skipped: 2);

        async Task<Candidate> RegisteredAsync(string name, string? address)
        {
            await new KeycloakBrowser(fixture.KeycloakUrl) { ForwardedFor = address }.RegisterAsync(
                fixture.Realm, ContractFixture.Named(name), Token);
            return Candidate(await fixture.IdOfAsync(name));
        }

        Candidate Candidate(string id) => new(
            fixture.Realm, id, id, $"{id}@{id}.example", EmailVerified: true, TimeProvider.System.GetUtcNow(), [], [], Invited: false);

        async Task AssertToldAsync(List<Candidate> asked, int skipped = 0)
        {
            var assessed = await fixture.Bridge.Services.GetRequiredService<Assessor>().AssessAsync(asked, Token);
            Assert.Equal(
                new[] { "", "", "network_hour", $"{MissingOrigins.Private}", $"{MissingOrigins.Administrator} exempt" }.Skip(skipped)
                    .Take(asked.Count),
                asked.Select(user => Told(assessed[user.AccountId])));
        }

        static string Told(Assessment assessment) => string.Join(
            ' ',
            assessment.Hits.Where(hit => hit.Signal == SignalNames.NetworkHour).Select(hit => hit.Missing ?? hit.Signal)
                .Append(assessment.Exempt is null ? "" : "exempt").Where(word => word.Length > 0));
    }
}
