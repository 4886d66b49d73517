using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Codes;

/// <summary>Administrators make and look after codes over HTTP.</summary>
public sealed class CampaignRouteTests(PostgresFixture postgres)
{
    private const string Codes = "api/v1/credits/codes";

    private static readonly (string, string?) Key = ("Grants:Codes:Key", new string('k', 32));

    [Fact]
    public async Task A_campaign_is_made_counted_disabled_and_voided()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Key);
        var (admin, user) = (RedeemRouteTests.Admin(fixture), await fixture.AddUserAsync());
        var made = await fixture.PostAsync(Codes, admin, new JsonObject { ["name"] = "letter", ["credits"] = "2.5", ["count"] = 3 });
        Assert.Equal(HttpStatusCode.Created, made.Status);
        var third = (string)made.Json["codes"]![2]!["code"]!;
        await fixture.PostAsync($"{Codes}/redeem", fixture.TokenOf(user), RedeemRouteTests.Body(third));
        var listed = Assert.Single((await fixture.GetAsync(Codes, admin)).Json.AsArray())!;
        Assert.Equal(
            ("letter", "2.500000", 3, 3, 1, 1, "admin"),
            ((string?)listed["name"], (string?)listed["credits"], (int)listed["codes"]!, (int)listed["places"]!, (int)listed["taken"]!,
                (int)listed["paid"]!, (string?)listed["created_by"]));
        var shown = await fixture.GetAsync($"{Codes}/letter", admin);
        Assert.Equal((3, 1), ((int)shown.Json["codes"]![2]!["number"]!, (int)shown.Json["codes"]![2]!["taken"]!));
        Assert.DoesNotContain(third, shown.Body, StringComparison.Ordinal);
        foreach (var (body, disabled) in ((JsonObject, int)[])[(new() { ["number"] = 1 }, 1), ([], 2)])
            Assert.Equal(disabled, (int)(await fixture.PostAsync($"{Codes}/letter/disable", admin, body)).Json["disabled"]!);

        var counted = await fixture.PostAsync($"{Codes}/letter/void", admin, new JsonObject { ["reason"] = "leaked" });
        Assert.Equal((1, 0), ((int)counted.Json["redemptions"]!, (int)counted.Json["voided"]!));
        var wrong = await fixture.PostAsync($"{Codes}/letter/void", admin, new JsonObject { ["reason"] = "leaked", ["confirm"] = 2 });
        Assert.Equal(HttpStatusCode.Conflict, wrong.Status);
        var voided = await fixture.PostAsync($"{Codes}/letter/void", admin, new JsonObject { ["reason"] = "leaked", ["confirm"] = 1 });
        Assert.Equal((1, "2.500000"), ((int)voided.Json["voided"]!, voided["taken"]));
        Assert.Equal("5.000000", (await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf(user)))["balance"]);
    }

    [Fact]
    public async Task Bad_campaigns_are_refused_by_what_is_wrong_with_them()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Key);
        var admin = RedeemRouteTests.Admin(fixture);
        JsonObject good = new() { ["name"] = "spring", ["credits"] = 1 };
        foreach (var (field, value, named) in ((string, JsonNode?, string)[])
        [
            ("name", "Spring!", "name"), ("credits", 0, "credits"), ("credits", "1e400", "credits"), ("credits", -1, "credits"),
            ("count", 10_001, "count"), ("max_redemptions", 0, "max_redemptions"), ("code", "spring", "code"),
            ("code", "SPRING", "max_redemptions"), ("expires_after", "soon", "expires_after"),
            ("expires_after", "00:00:01", "expires_after"),
            ("ends_at", "2020-01-01T00:00:00Z", "ends_at"), ("starts_at", "tomorrow", "starts_at"), ("cout", 9, "cout"),
        ])
        {
            var body = (JsonObject)good.DeepClone();
            body[field] = value;
            var answer = await fixture.PostAsync(Codes, admin, body);
            Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
            Assert.NotNull(answer.Json["errors"]![named]);
        }

        Assert.Equal(HttpStatusCode.Created, (await fixture.PostAsync(Codes, admin, good)).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await fixture.PostAsync(Codes, admin, good)).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await fixture.PostAsync(Codes, fixture.TokenOf("ana"), good)).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await fixture.PostAsync(Codes, fixture.TokenOf("s", CreditsFixture.Service), good)).Status);
        var foreign = fixture.TokenOf("other-admin", CreditsFixture.Other, [CreditsFixture.Admin]);
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.GetAsync($"{Codes}/spring", foreign)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.PostAsync($"{Codes}/spring/disable", foreign, [])).Status);
        Assert.Empty((await fixture.GetAsync(Codes, foreign)).Json.AsArray());
    }

    [Fact]
    public async Task Without_the_key_the_answer_names_it_and_codes_come_as_csv_with_it()
    {
        await using (var without = await CreditsFixture.StartAsync(postgres))
        {
            var answer = await without.PostAsync(
                Codes, RedeemRouteTests.Admin(without), new JsonObject { ["name"] = "spring", ["credits"] = 1 });
            Assert.Equal(HttpStatusCode.Conflict, answer.Status);
            Assert.StartsWith("Grants:Codes:Key is missing", answer.Detail, StringComparison.Ordinal);
        }

        await using var fixture = await CreditsFixture.StartAsync(postgres, Key);
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(fixture.Bridge.Url, Codes));
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {RedeemRouteTests.Admin(fixture)}");
        request.Headers.TryAddWithoutValidation("Accept", "text/csv");
        request.Content = new StringContent(
            """{"name":"letter","credits":1,"count":2}""", System.Text.Encoding.UTF8, "application/json");
        var reply = await ApiReply.OfAsync(await http.SendAsync(request, TestContext.Current.CancellationToken));
        Assert.Equal((HttpStatusCode.Created, "text/csv"), (reply.Status, reply.MediaType));
        Assert.Matches("^number,code\n1,([0-9A-Z]{4}-){3}[0-9A-Z]{4}\n2,([0-9A-Z]{4}-){3}[0-9A-Z]{4}\n$", reply.Body);
    }
}
