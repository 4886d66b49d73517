using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Credits.Referrals;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Documents;

/// <summary>The settings and requests of docs/referrals.md do what the page says.</summary>
public sealed partial class ReferralsExampleTests(PostgresFixture postgres)
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Repository.Top, "docs", "referrals.md"));

    [Fact]
    public async Task The_example_takes_a_code_and_the_referral_becomes_pending()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, ReferralRouteTests.Active, [.. Settings()]);
        var (ana, bob) = (await ReferralRouteTests.VerifiedAsync(fixture, "ana"), await ReferralRouteTests.VerifiedAsync(fixture, "bob"));
        var requests = Request().Matches(Page);
        Assert.Equal(2, requests.Count);
        var shown = await fixture.GetAsync(requests[0].Groups["path"].Value, fixture.TokenOf(ana));
        Assert.Matches("^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$", (string?)shown.Json["code"]);

        var body = requests[1].Groups["body"].Value.Replace("7Q2M-X9TD", (string?)shown.Json["code"], StringComparison.Ordinal);
        var given = await fixture.SendAsync(HttpMethod.Post, requests[1].Groups["path"].Value, fixture.TokenOf(bob), body, null);
        Assert.Equal(HttpStatusCode.Accepted, given.Status);
        await fixture.PostAsync(
            CreditsFixture.Deduct, fixture.TokenOf("crm", CreditsFixture.Service),
            new() { ["user_id"] = bob, ["amount"] = 1, ["service"] = "chat" });
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select state = 'pending' from referrals"), "the referral is pending");
        Assert.Equal(7d, await fixture.Database.ScalarAsync<double>(
            "select round(extract(epoch from settles_at - now()) / 86400)::double precision from referrals"));
    }

    private static IEnumerable<(string, string?)> Settings()
    {
        using var json = JsonDocument.Parse(Json().Match(Page).Groups["json"].Value);
        return [.. Leaves(json.RootElement, "")];
    }

    private static IEnumerable<(string, string?)> Leaves(JsonElement element, string key) => element.ValueKind == JsonValueKind.Object
        ? element.EnumerateObject().SelectMany(member => Leaves(member.Value, key.Length == 0 ? member.Name : $"{key}:{member.Name}"))
        : [(key, element.ToString())];

    [GeneratedRegex(@"```json\n(?<json>.+?)```", RegexOptions.Singleline)]
    private static partial Regex Json();

    [GeneratedRegex(@"curl http://bridge:8085/(?<path>\S+) -H ""Authorization: Bearer \$\w+""( -d '(?<body>[^']+)')?")]
    private static partial Regex Request();
}
