using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Attributions;

/// <summary>A user's browser says where the user came from.</summary>
public sealed class AttributionTests(PostgresFixture postgres)
{
    private const string Path = "api/v1/credits/attribution";

    private static readonly (string, string?)[] Campaign =
    [
        ("Grants:Welcome:Credits", "5"), ("Grants:Welcome:Requires:0", "email_verified"),
        ("Grants:Welcome:Rules:0:Name", "autumn"), ("Grants:Welcome:Rules:0:When:Utm", "campaign=autumn"),
        ("Grants:Welcome:Rules:0:When:Source", "letter"), ("Grants:Welcome:Rules:0:Credits", "9"),
        ("Grants:Welcome:Rules:0:Budget:Credits", "9"),
    ];

    [Fact]
    public async Task The_first_attribution_stays_and_may_be_repeated()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        var token = fixture.TokenOf(user);
        var first = await fixture.PostAsync(Path, token, Body("letter", "autumn"));
        Assert.Equal((HttpStatusCode.Created, true), (first.Status, (bool?)first.Json["kept"]));
        var again = await fixture.PostAsync(Path, token, Body("letter", "autumn"));
        Assert.Equal((HttpStatusCode.OK, false), (again.Status, (bool?)again.Json["kept"]));
        Assert.Equal(HttpStatusCode.Conflict, (await fixture.PostAsync(Path, token, Body("letter", "winter"))).Status);
        Assert.Equal("letter autumn", await fixture.Database.ScalarAsync<string>("select source || ' ' || campaign from attributions"));
    }

    [Fact]
    public async Task Of_different_attributions_at_once_one_is_kept()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var token = fixture.TokenOf(await fixture.AddUserAsync());
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(number =>
            fixture.PostAsync(Path, token, Body($"letter-{number}", "autumn"))));
        Assert.Single(answers, answer => answer.Status == HttpStatusCode.Created);
        Assert.Equal(7, answers.Count(answer => answer.Status == HttpStatusCode.Conflict));
    }

    [Fact]
    public async Task An_attribution_comes_within_a_day_after_the_user_was_created()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var (late, same) = (await fixture.AddUserAsync(), await fixture.AddUserAsync());
        Assert.Equal(HttpStatusCode.Created, (await fixture.PostAsync(Path, fixture.TokenOf(same), Body("letter", "autumn"))).Status);
        await fixture.Database.ExecuteAsync(
            """
            update keycloak_users set created_at = created_at - interval '25 hours';
            update user_credits set created_at = created_at - interval '25 hours'
            """);
        Assert.Equal(HttpStatusCode.Gone, (await fixture.PostAsync(Path, fixture.TokenOf(late), Body("letter", "autumn"))).Status);
        Assert.Equal(HttpStatusCode.OK, (await fixture.PostAsync(Path, fixture.TokenOf(same), Body("letter", "autumn"))).Status);
        await fixture.Database.ExecuteAsync("update user_credits set status = 'closed'");
        Assert.Equal(HttpStatusCode.Conflict, (await fixture.PostAsync(Path, fixture.TokenOf(late), Body("letter", "autumn"))).Status);
    }

    [Theory]
    [InlineData("{}", "source")]
    [InlineData("""{"source":"a","utm_source":"a"}""", "utm_source")]
    [InlineData("""{"source":""}""", "source")]
    [InlineData("""{"source":"a\u0007"}""", "source")]
    [InlineData("""{"source":5}""", "source")]
    public async Task What_is_wrong_with_an_attribution_is_named(string body, string field)
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var token = fixture.TokenOf(await fixture.AddUserAsync());
        var refused = await fixture.SendAsync(HttpMethod.Post, Path, token, body, null);
        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        Assert.Contains($"\"{field}\"", refused.Body, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, (await fixture.PostAsync(Path, token, Body(new string('x', 129), "autumn"))).Status);
        Assert.Equal(HttpStatusCode.Created, (await fixture.PostAsync(Path, token, Body(new string('x', 128), "autumn"))).Status);
    }

    [Fact]
    public async Task A_rule_pays_by_attribution_as_far_as_its_budget_reaches()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Campaign);
        var users = new[] { await fixture.AddUserAsync(), await fixture.AddUserAsync(), await fixture.AddUserAsync() };
        Assert.Equal(HttpStatusCode.Created, (await fixture.PostAsync(Path, fixture.TokenOf(users[0]), Body("letter", "autumn"))).Status);
        Assert.Equal(HttpStatusCode.Created, (await fixture.PostAsync(Path, fixture.TokenOf(users[1]), Body("letter", "winter"))).Status);
        Assert.Equal(HttpStatusCode.Created, (await fixture.PostAsync(Path, fixture.TokenOf(users[2]), Body("letter", "autumn"))).Status);
        foreach (var user in users)
        {
            fixture.Keycloak.Realm(CreditsFixture.Realm).ChangeUser(
                user, item => item with { Email = $"{user}@example.com", EmailVerified = true });
            var read = await fixture.PostAsync($"api/v1/admin/users/{user}/initialize", fixture.TokenOf("admin", CreditsFixture.Admin), []);
            Assert.Equal(HttpStatusCode.OK, read.Status);
        }

        Assert.Equal(
            (9m, 5m, 5m),
            (await fixture.BalanceOfAsync(users[0]), await fixture.BalanceOfAsync(users[1]), await fixture.BalanceOfAsync(users[2])));
    }

    private static JsonObject Body(string source, string campaign) => new() { ["source"] = source, ["campaign"] = campaign };
}
