using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Grants;

/// <summary>What a user reads of grants that can still be earned.</summary>
public sealed class OfferTests(PostgresFixture postgres)
{
    private const string Grants = "api/v1/credits/grants";

    private static readonly (string, string?)[] Trial =
    [
        ("Grants:Welcome:Credits", "5"), ("Grants:Welcome:Before", "1"), ("Grants:Welcome:Requires:0", "email_verified"),
        ("Grants:Tasks:profile:Evidence:Profile:0", "company"), ("Grants:Tasks:profile:Credits", "0.5"),
        ("Grants:Tasks:profile:Requires:0", "welcome"),
    ];

    [Fact]
    public async Task Grants_show_what_can_still_be_earned_and_what_is_missing()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Trial);
        var user = await fixture.AddUserAsync();
        var answer = await fixture.GetAsync(Grants, fixture.TokenOf(user));
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.Equal("signup 1.000000", Assert.Single(Shown(answer, "grants")));
        Assert.Equal(
            ["welcome 4.000000 open email_verified", "task:profile 0.500000 open profile,welcome"], Offers(answer));

        fixture.Keycloak.Realm(CreditsFixture.Realm).ChangeUser(
            user, item => item with { Email = "ana@example.com", EmailVerified = true });
        var paid = await fixture.PostAsync($"api/v1/admin/users/{user}/initialize", fixture.TokenOf("admin", CreditsFixture.Admin), []);
        Assert.Equal(HttpStatusCode.OK, paid.Status);
        answer = await fixture.GetAsync(Grants, fixture.TokenOf(user));
        Assert.Equal(["welcome 4.000000", "signup 1.000000"], Shown(answer, "grants"));
        Assert.Equal(["task:profile 0.500000 open profile"], Offers(answer));
    }

    [Fact]
    public async Task A_Keycloak_that_does_not_answer_makes_no_read_of_grants_fail_and_is_asked_once_a_minute()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Trial);
        var user = await fixture.AddUserAsync();
        var token = fixture.TokenOf(user);
        fixture.Keycloak.Faults.Fail($"/admin/realms/{CreditsFixture.Realm}/users/{user}", int.MaxValue, 500);
        fixture.Keycloak.Requests.Reset();
        List<int> asked = [];
        for (var read = 0; read < 3; read++)
        {
            var answer = await fixture.GetAsync(Grants, token);
            Assert.Equal(HttpStatusCode.OK, answer.Status);
            Assert.Equal("welcome 4.000000 open email_verified", Offers(answer)[0]);
            asked.Add(fixture.Keycloak.Requests[CreditsFixture.UserRead]);
        }

        Assert.InRange(asked[0], 1, int.MaxValue);
        Assert.Equal([asked[0], asked[0], asked[0]], asked);
    }

    [Fact]
    public async Task Without_policies_there_are_no_offers()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        Assert.Empty(Offers(await fixture.GetAsync(Grants, fixture.TokenOf(await fixture.AddUserAsync()))));
    }

    private static string[] Shown(ApiReply answer, string list) =>
        [.. answer.Json[list]!.AsArray().Select(item => $"{item!["grant_key"]} {item["amount"]}")];

    private static string[] Offers(ApiReply answer) =>
    [
        .. answer.Json["offers"]!.AsArray().Select(item =>
            $"{item!["grant_key"]} {item["amount"]} {item["state"]} {string.Join(',', item["missing"]!.AsArray().Order(Texts))}".Trim()),
    ];

    private static readonly Comparer<JsonNode?> Texts =
        Comparer<JsonNode?>.Create((one, other) => string.CompareOrdinal((string?)one, (string?)other));
}
