using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Doctor.Records;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Review;
using KeycloakCreditBridge.Tests.Grants.Review.Signals;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Doctor.Records;

public sealed class SignalChecksTests(PostgresFixture postgres)
{
    private const string SeeSql =
        """
        insert into fraud_origins (realm, keycloak_id, registered_at, network, missing)
        select @Realm, @Missing || @At::text || n, @At, case when @Missing = 'none' then '\x01'::bytea end, nullif(@Missing, 'none')
        from generate_series(1, @Users) n
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(null, Verdict.Warn, "no disposable domains are known, the signal is off")]
    [InlineData("one.example\ntwo.example\n", Verdict.Ok, "2 disposable domains are known")]
    [InlineData("<html>\n", Verdict.Fail, "the file of Grants:Fraud:Disposable:File")]
    internal async Task A_list_that_is_missing_or_no_list_is_told(string? list, Verdict verdict, string says)
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, list ?? "", Token);
            await using var fixture = await SignalFixture.StartAsync(postgres, list is null ? "" : file);
            _ = fixture.Domains.Current;
            var finding = await ChecksOf(fixture).Of(["shop"]).Single(check => check.Name == "disposable domains").Run(Token);
            Assert.Equal(verdict, finding.Verdict);
            Assert.StartsWith(says, finding.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData(0, 0, 0, 0, Verdict.Ok, "no user registered within a day")]
    [InlineData(60, 0, 0, 0, Verdict.Ok, "users' addresses of registrations are known")]
    [InlineData(60, 1, 0, 0, Verdict.Warn, "1 of 61 registrations within a day seem to come from a proxy")]
    [InlineData(30, 0, 30, 0, Verdict.Ok, "users' addresses of registrations are known")]
    [InlineData(30, 0, 31, 0, Verdict.Warn, "31 of 61 registrations within a day seem to come from a proxy")]
    [InlineData(1, 0, 9, 0, Verdict.Ok, "users' addresses of registrations are known")]
    [InlineData(2, 0, 0, 2, Verdict.Ok, "users' addresses of registrations are known")]
    [InlineData(2, 0, 0, 3, Verdict.Warn, "3 of 5 users that registered within a day have no event with an address")]
    internal async Task Registrations_behind_a_proxy_and_those_without_an_address_are_told(
        int known, int behindProxy, int inside, int without, Verdict verdict, string says)
    {
        await using var fixture = await SignalFixture.StartAsync(postgres);
        var now = fixture.Clock.GetUtcNow();
        foreach (var (missing, users) in ((string, int)[])[
            ("none", known), ("proxy", behindProxy), ("private", inside), ("no_event", without), ("administrator", 200)])
            await SeeAsync("shop", missing, users, now.AddHours(-23));
        // What is older, and what another realm saw, says nothing.
        await SeeAsync("shop", "proxy", 100, now.AddHours(-25));
        await SeeAsync("store", "no_event", 100, now.AddHours(-1));

        var check = ChecksOf(fixture).Of(["shop", SignalFixture.Quiet]).Single(check => check.Name == "registration addresses");
        var finding = await check.Run(Token);

        Assert.Equal(("shop", verdict), (check.Realm, finding.Verdict));
        Assert.StartsWith(says, finding.Message, StringComparison.Ordinal);

        Task<int> SeeAsync(string realm, string missing, int users, DateTimeOffset at) => fixture.Database.ExecuteAsync(
            SeeSql, new { Realm = realm, Missing = missing, Users = users, At = at });
    }

    private static SignalChecks ChecksOf(SignalFixture fixture) => new(
        fixture.Domains, fixture.Origins, Hot.Of(new FraudRules(Options.Create(new GrantsOptions
        {
            Fraud = new FraudOptions { Enabled = true },
            Realms = { [SignalFixture.Quiet] = new RealmGrantsOptions { Fraud = new RealmFraudOptions() } },
        }))), fixture.Clock);
}
