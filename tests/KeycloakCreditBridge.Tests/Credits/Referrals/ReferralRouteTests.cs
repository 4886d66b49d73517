using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Referrals;

/// <summary>A user brings another one, over HTTP.</summary>
public sealed class ReferralRouteTests(PostgresFixture postgres)
{
    private const string Path = "api/v1/credits/referrals";

    /// <summary>Referrals are active since yesterday.</summary>
    internal const string Active =
        "insert into grant_policies (realm, policy, activated_at) values ('demo', 'referral', now() - interval '1 day')";

    private static readonly (string, string?)[] Settings =
    [
        ("Grants:Referrals:ReferrerCredits", "5"), ("Grants:Referrals:RefereeCredits", "3"),
        ("Grants:Referrals:Settle", "00:00:00"),
    ];

    [Fact]
    public async Task Both_are_paid_and_the_referrer_sees_counts_alone()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Active, Settings);
        var (ana, bob) = (await VerifiedAsync(fixture, "ana"), await VerifiedAsync(fixture, "bob"));
        var code = await CodeOfAsync(fixture, ana);
        Assert.Equal(code, await CodeOfAsync(fixture, ana));
        Assert.Equal(HttpStatusCode.Accepted, (await GiveAsync(fixture, bob, code)).Status);
        await SpendAsync(fixture, bob);
        await Eventually.TrueAsync(
            async () => await fixture.BalanceOfAsync(ana) == 10m && await fixture.BalanceOfAsync(bob) == 7m, "both are paid");

        var shown = await fixture.GetAsync(Path, fixture.TokenOf(ana));
        Assert.Equal(("""{"paid":1}""", "5.000000"), (shown.Json["referrals"]!.ToJsonString(), (string?)shown.Json["credits"]));
        Assert.DoesNotContain(bob, shown.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("bob", shown.Body, StringComparison.Ordinal);

        var id = await fixture.Database.ScalarAsync<Guid>("select id from referrals");
        var admin = fixture.TokenOf("admin", CreditsFixture.Admin);
        Assert.Equal(bob, (string?)(await fixture.GetAsync($"{Path}/{id}", admin)).Json["referee"]);
        Assert.Equal(HttpStatusCode.Forbidden, (await fixture.GetAsync($"{Path}/{id}", fixture.TokenOf(bob))).Status);
        Assert.Equal(
            HttpStatusCode.NotFound,
            (await fixture.GetAsync($"{Path}/{id}", fixture.TokenOf("admin", CreditsFixture.Other, [CreditsFixture.Admin]))).Status);
        var listed = await fixture.GetAsync($"api/v1/admin/referrals?state=paid&account={ana}", admin);
        Assert.Contains($"{id}", listed.Body, StringComparison.Ordinal);
        Assert.Equal("[]", (await fixture.GetAsync("api/v1/admin/referrals?state=held", admin)).Body);
        Assert.Equal(HttpStatusCode.BadRequest, (await fixture.GetAsync("api/v1/admin/referrals?state=open", admin)).Status);
        var service = fixture.TokenOf("crm", CreditsFixture.Service);
        Assert.Equal(HttpStatusCode.Forbidden, (await ReverseAsync(fixture, id, service, "referee")).Status);
        var reversed = await ReverseAsync(fixture, id, service, "both");
        Assert.Equal(
            ("reversed", "5.000000", "3.000000"),
            ((string?)reversed.Json["state"], (string?)reversed.Json["from_referrer"], (string?)reversed.Json["from_referee"]));
        Assert.Equal((5m, 4m), (await fixture.BalanceOfAsync(ana), await fixture.BalanceOfAsync(bob)));
    }

    [Fact]
    public async Task Good_unknown_and_refused_codes_have_one_answer()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Active, Settings);
        var (ana, bob) = (await VerifiedAsync(fixture, "ana"), await VerifiedAsync(fixture, "bob"));
        var (own, good) = (await CodeOfAsync(fixture, bob), await CodeOfAsync(fixture, ana));
        List<string> answers = [];
        foreach (var code in (string[])["00000000", own, good, good.ToLowerInvariant(), "ZZZZ ZZZZ"])
        {
            var answer = await GiveAsync(fixture, bob, code);
            answers.Add($"{answer.Status} {answer.Body}");
        }

        Assert.Equal(["""Accepted {"taken":true}"""], answers.Distinct());
        Assert.Equal(["refused", "touched"], await fixture.Database.QueryAsync<string>("select state from referrals order by 1"));
    }

    [Theory]
    [InlineData("{}", "code")]
    [InlineData("""{"code":"1234567"}""", "code")]
    [InlineData("""{"code":"7Q2M-X9TÜ"}""", "code")]
    [InlineData("""{"code":5}""", "code")]
    [InlineData("""{"code":"7Q2M-X9TD","user_id":"ana"}""", "user_id")]
    public async Task What_is_no_code_is_named(string body, string field)
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Active, Settings);
        var answer = await fixture.SendAsync(HttpMethod.Post, Path, fixture.TokenOf(await fixture.AddUserAsync()), body, null);
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains($"\"{field}\"", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_ref_of_an_attribution_is_a_code()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Active, Settings);
        var (ana, bob) = (await VerifiedAsync(fixture, "ana"), await VerifiedAsync(fixture, "bob"));
        var body = new JsonObject { ["source"] = "letter", ["ref"] = await CodeOfAsync(fixture, ana) };
        var kept = await fixture.PostAsync("api/v1/credits/attribution", fixture.TokenOf(bob), body);
        Assert.Equal(HttpStatusCode.Created, kept.Status);
        Assert.Equal([$"{ana} {bob}"], await fixture.Database.QueryAsync<string>("select referrer || ' ' || referee from referrals"));
    }

    [Fact]
    public async Task Without_the_section_there_are_no_referrals()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var token = fixture.TokenOf(await fixture.AddUserAsync());
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.GetAsync(Path, token)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.PostAsync(Path, token, new JsonObject { ["code"] = "7Q2MX9TD" })).Status);
        Assert.DoesNotContain("bridge_referrals", await fixture.Bridge.ReadMetricsAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Disabled_referrals_take_no_codes()
    {
        await using var fixture = await CreditsFixture.StartAsync(
            postgres, "insert into grant_policies (realm, policy, activated_at, disabled_at) values ('demo', 'referral', now(), now())",
            Settings);
        var answer = await fixture.GetAsync(Path, fixture.TokenOf(await fixture.AddUserAsync()));
        Assert.Equal(HttpStatusCode.NotFound, answer.Status);
    }

    internal static async Task<string> VerifiedAsync(CreditsFixture fixture, string name)
    {
        var user = await fixture.AddUserAsync();
        fixture.Keycloak.Realm(CreditsFixture.Realm).ChangeUser(
            user, item => item with { Email = $"{name}@example.com", EmailVerified = true });
        return user;
    }

    private static async Task<string> CodeOfAsync(CreditsFixture fixture, string user)
    {
        var answer = await fixture.GetAsync(Path, fixture.TokenOf(user));
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Body);
        return (string)answer.Json["code"]!;
    }

    private static Task<ApiReply> GiveAsync(CreditsFixture fixture, string user, string code) =>
        fixture.PostAsync(Path, fixture.TokenOf(user), new JsonObject { ["code"] = code });

    private static Task<ApiReply> ReverseAsync(CreditsFixture fixture, Guid id, string token, string side) => fixture.PostAsync(
        $"{Path}/{id}/reverse", token, new JsonObject { ["reason"] = "chargeback", ["who"] = side });

    private static async Task SpendAsync(CreditsFixture fixture, string user) => Assert.Equal(
        HttpStatusCode.OK,
        (await fixture.PostAsync(
            CreditsFixture.Deduct, fixture.TokenOf("crm", CreditsFixture.Service),
            new JsonObject { ["user_id"] = user, ["amount"] = 1, ["service"] = "chat" })).Status);
}
