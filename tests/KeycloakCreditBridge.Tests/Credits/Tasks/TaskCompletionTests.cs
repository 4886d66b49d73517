using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Tasks;

/// <summary>Applications report that users have done tasks.</summary>
public sealed class TaskCompletionTests(PostgresFixture postgres)
{
    private const string Webinar = "api/v1/credits/tasks/webinar/completions";

    private static readonly (string, string?)[] Sheet =
    [
        ("Grants:Tasks:webinar:Evidence:Reported", "true"), ("Grants:Tasks:webinar:Credits", "2"),
        ("Grants:Tasks:webinar:Clients:0", "crm"),
        ("Grants:Tasks:verified:Evidence:Reported", "true"), ("Grants:Tasks:verified:Credits", "3"),
        ("Grants:Tasks:verified:Clients:0", "crm"), ("Grants:Tasks:verified:Requires:0", "email_verified"),
        ("Grants:Tasks:profile:Evidence:Profile:0", "company"), ("Grants:Tasks:profile:Credits", "1"),
    ];

    [Fact]
    public async Task A_report_pays_once_however_often_it_comes()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Sheet);
        var (user, token) = (await fixture.AddUserAsync(), Crm(fixture));
        var first = await fixture.PostAsync(Webinar, token, Body(user));
        Assert.Equal(HttpStatusCode.Created, first.Status);
        Assert.Equal(("2.000000", true), ((string?)first.Json["amount"], (bool?)first.Json["granted"]));
        var others = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => fixture.PostAsync(Webinar, token, Body(user))));
        Assert.All(others, other => Assert.Equal(HttpStatusCode.OK, other.Status));
        Assert.Equal(7m, await fixture.BalanceOfAsync(user));
    }

    [Fact]
    public async Task A_report_whose_requirements_are_not_met_is_kept_and_paid_later()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Sheet);
        var (user, token) = (await fixture.AddUserAsync(), Crm(fixture));
        var path = Webinar.Replace("webinar", "verified", StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Accepted, (await fixture.PostAsync(path, token, Body(user))).Status);
        Assert.Equal(5m, await fixture.BalanceOfAsync(user));
        var realm = fixture.Keycloak.Realm(CreditsFixture.Realm);
        realm.ChangeUser(user, item => item with { Email = "ana@example.com", EmailVerified = true });
        Assert.Equal(HttpStatusCode.Created, (await fixture.PostAsync(path, token, Body(user))).Status);
        Assert.Equal(8m, await fixture.BalanceOfAsync(user));
    }

    [Fact]
    public async Task A_report_about_a_user_without_an_account_asks_Keycloak_first()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Sheet);
        var user = new EmulatedUser(EmulatedUser.NewId(), "new");
        fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(user);
        Assert.Equal(HttpStatusCode.Created, (await fixture.PostAsync(Webinar, Crm(fixture), Body(user.Id))).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await fixture.PostAsync(Webinar, Crm(fixture), Body("no-such-user"))).Status);
    }

    [Fact]
    public async Task Reports_are_refused_by_what_is_wrong_with_them()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Sheet);
        var user = await fixture.AddUserAsync();
        var crm = Crm(fixture);
        Assert.Equal(HttpStatusCode.Forbidden, (await fixture.PostAsync(Webinar, fixture.TokenOf(user), Body(user))).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await fixture.PostAsync(Webinar, Crm(fixture, "shop"), Body(user))).Status);
        Assert.Equal(
            HttpStatusCode.NotFound,
            (await fixture.PostAsync(Webinar.Replace("webinar", "other", StringComparison.Ordinal), crm, Body(user))).Status);
        Assert.Equal(
            HttpStatusCode.BadRequest,
            (await fixture.PostAsync(Webinar.Replace("webinar", "profile", StringComparison.Ordinal), crm, Body(user))).Status);
        var large = Body(user);
        large["evidence"] = new JsonObject { ["text"] = new string('x', 2_100) };
        Assert.Equal(HttpStatusCode.BadRequest, (await fixture.PostAsync(Webinar, crm, large)).Status);
        await fixture.Database.ExecuteAsync("update user_credits set status = 'closed'");
        Assert.Equal(HttpStatusCode.Conflict, (await fixture.PostAsync(Webinar, crm, Body(user))).Status);
        Assert.Equal(5m, await fixture.BalanceOfAsync(user));
    }

    private static JsonObject Body(string user) => new() { ["user_id"] = user };

    private static string Crm(CreditsFixture fixture, string client = "crm")
    {
        var claims = fixture.Claims($"service-{client}", [CreditsFixture.Service]);
        claims["azp"] = client;
        return fixture.Sign(claims);
    }
}
