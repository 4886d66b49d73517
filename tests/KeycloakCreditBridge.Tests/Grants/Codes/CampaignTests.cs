using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants.Codes.Campaigns;
using KeycloakCreditBridge.Grants.Codes.Redemptions;
using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Codes;

/// <summary>Operators make campaigns.</summary>
public sealed class CampaignTests(PostgresFixture postgres)
{
    private static readonly DateTimeOffset Now = GrantFixture.Start;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Ten_thousand_codes_are_made_at_once_and_the_database_has_none_of_them()
    {
        await using var fixture = await CodeFixture.CreateAsync(postgres, "ana");
        var codes = await fixture.MakeAsync(CodeFixture.Campaign("letter", count: 10_000));
        Assert.Equal(10_000, codes.Distinct(StringComparer.Ordinal).Count());
        var campaign = Assert.Single(await fixture.Campaigns.ListAsync([CodeFixture.Realm], null, Token));
        Assert.Equal((10_000, 10_000, 0), (campaign.Codes, campaign.Places, campaign.Taken));
        Assert.Equal(RedeemOutcome.Paid, await fixture.RedeemAsync("ana", codes[9_999]));
        var shown = await fixture.Campaigns.CodesAsync(CodeFixture.Realm, "letter", Token);
        Assert.Equal((10_000, 1), (shown[9_999].Number, shown[9_999].Taken));
        Assert.Equal(1, await fixture.Campaigns.DisableAsync(CodeFixture.Realm, "letter", 7, "test", Now, Token));
        Assert.Equal(9_999, await fixture.Campaigns.DisableAsync(CodeFixture.Realm, "letter", null, "test", Now, Token));
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from codes where length(code_hash) <> 32"));
    }

    [Fact]
    public async Task Of_operators_that_make_the_same_at_once_one_succeeds()
    {
        await using var fixture = await CodeFixture.CreateAsync(postgres);
        var names = await Task.WhenAll(Enumerable.Range(0, 12).Select(
            _ => fixture.Maker.CreateAsync(CodeFixture.Campaign("spring", count: 20), Token)));
        Assert.Equal(1, names.Count(result => result.Outcome == CreateOutcome.Done));
        Assert.Equal(11, names.Count(result => result.Outcome == CreateOutcome.NameTaken && result.Codes.Count == 0));
        var words = await Task.WhenAll(Enumerable.Range(0, 12).Select(
            number => fixture.Maker.CreateAsync(
                CodeFixture.Campaign($"c-{number}", places: 9, word: number % 2 == 0 ? "SOLD-OUT" : "S0-1DOUT"), Token)));
        Assert.Equal(1, words.Count(result => result.Outcome == CreateOutcome.Done));
        Assert.Equal(11, words.Count(result => result.Outcome == CreateOutcome.WordTaken));
        Assert.Equal(2, (await fixture.Campaigns.ListAsync([CodeFixture.Realm], null, Token)).Count);
        Assert.Equal(21, await fixture.Database.ScalarAsync<int>("select count(*)::int from codes"));
    }

    [Fact]
    public async Task Realms_have_the_same_names_and_words_for_themselves()
    {
        await using var fixture = await CodeFixture.CreateAsync(postgres, "ana");
        await fixture.MakeAsync(CodeFixture.Campaign("spring", places: 2, word: "SPRING"));
        await fixture.MakeAsync(CodeFixture.Campaign("spring", places: 2, word: "SPRING", credits: 7m) with { Realm = "shop" });
        Assert.Equal(RedeemOutcome.Paid, await fixture.RedeemAsync("ana", "spring"));
        Assert.Equal(5m, (await fixture.CountsAsync()).Credits);
    }

    [Fact]
    public async Task Without_the_key_nothing_is_made_and_a_service_with_codes_says_which_key_is_missing()
    {
        await using var fixture = await CodeFixture.CreateAsync(postgres, "ana");
        fixture.Options.Codes.Key = "";
        Assert.Null(await fixture.Maker.FindProblemAsync(Token));
        Assert.Equal(RedeemOutcome.Refused, await fixture.RedeemAsync("ana", "SPRING"));
        await Assert.ThrowsAsync<ConfigurationException>(() => fixture.Maker.CreateAsync(CodeFixture.Campaign("spring"), Token));
        fixture.Options.Codes.Key = new string('k', 32);
        await fixture.MakeAsync(CodeFixture.Campaign("spring", places: 2, word: "SPRING"));
        Assert.False(await fixture.Campaigns.HasOtherKeyAsync(fixture.Hasher.Check, Token));
        fixture.Options.Codes.Key = "";
        Assert.StartsWith("Grants:Codes:Key is missing", await fixture.Maker.FindProblemAsync(Token), StringComparison.Ordinal);
        fixture.Options.Codes.Key = new string('o', 32);
        Assert.Null(await fixture.Maker.FindProblemAsync(Token));
        Assert.True(await fixture.Campaigns.HasOtherKeyAsync(fixture.Hasher.Check, Token));
        Assert.Equal(RedeemOutcome.Refused, await fixture.RedeemAsync("ana", "SPRING"));
    }

    [Fact]
    public async Task No_codes_are_made_while_a_replica_runs_that_renames_accounts_without_them()
    {
        await using var fixture = await CodeFixture.CreateAsync(postgres);
        await fixture.Database.ExecuteAsync(
            "insert into replicas (id, version, last_migration, started_at, last_seen) values ('old', '0.1', 80, now(), now())");
        var exception = await Assert.ThrowsAsync<OlderReplicasException>(
            () => fixture.Maker.CreateAsync(CodeFixture.Campaign("spring"), Token));
        Assert.Contains("old (version 0.1)", exception.Message, StringComparison.Ordinal);
        Assert.Empty(await fixture.Campaigns.ListAsync([CodeFixture.Realm], null, Token));
    }

    [Fact]
    public void What_is_wrong_with_a_campaign_is_named_with_its_fields()
    {
        Assert.Empty(Problems(CodeFixture.Campaign("spring")));
        Assert.Equal(["name"], Problems(CodeFixture.Campaign("Spring")));
        Assert.Equal(["name"], Problems(CodeFixture.Campaign("spring\n")));
        Assert.Equal(["credits"], Problems(CodeFixture.Campaign("spring", credits: -1m)));
        Assert.Equal(["credits"], Problems(CodeFixture.Campaign("spring", credits: 1_000_000_001m)));
        Assert.Equal(["credits"], Problems(CodeFixture.Campaign("spring", credits: 0.0000001m)));
        Assert.Equal(["count"], Problems(CodeFixture.Campaign("spring", count: 10_001)));
        Assert.Equal(["count"], Problems(CodeFixture.Campaign("spring", count: 0)));
        Assert.Equal(["max_redemptions"], Problems(CodeFixture.Campaign("spring", places: 0)));
        Assert.Equal(["max_redemptions"], Problems(CodeFixture.Campaign("spring", places: 1, word: "SPRING")));
        Assert.Equal(["code"], Problems(CodeFixture.Campaign("spring", places: 9, word: "spring")));
        Assert.Equal(["count"], Problems(CodeFixture.Campaign("spring", count: 2, places: 9, word: "SPRING")));
        Assert.Equal(["requires"], Problems(CodeFixture.Campaign("spring") with { Requires = ["welcome"] }));
        Assert.Equal(["expires_after"], Problems(CodeFixture.Campaign("spring") with { ExpiresAfter = TimeSpan.FromMinutes(59) }));
        Assert.Equal(["ends_at"], Problems(CodeFixture.Campaign("spring") with { EndsAt = Now }));
        Assert.Equal(
            ["ends_at"], Problems(CodeFixture.Campaign("spring") with { StartsAt = Now.AddDays(9), EndsAt = Now.AddDays(8) }));
    }

    private static IEnumerable<string> Problems(NewCampaign wanted) => CampaignRules.Problems(wanted, Now).Keys;
}
