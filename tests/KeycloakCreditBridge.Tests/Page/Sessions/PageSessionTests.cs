using System.Net;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Page.Sessions;

public sealed class PageSessionTests(PostgresFixture postgres)
{
    private const string MakeRolesOld = "update page_sessions set roles_at = roles_at - interval '5 minutes'";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_sign_in_proves_itself_with_PKCE_and_leads_to_the_screen_that_was_asked_for()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var browser = fixture.NewBrowser();
        var asked = await browser.GetAsync("/page/audit?result=success");
        var begun = await browser.SendAsync(HttpMethod.Get, asked.Location!.PathAndQuery);
        Assert.Contains("code_challenge_method=S256", begun.Location!.Query, StringComparison.Ordinal);
        Assert.Contains("response_mode=query", begun.Location.Query, StringComparison.Ordinal);

        var screen = await browser.SignInAsync(PageFixture.Admin, path: "/page/audit?result=success");
        Assert.Equal(("Audit", "?result=success"), (screen.Heading, screen.Address.Query));
    }

    [Fact]
    public async Task A_code_of_another_browser_signs_no_operator_in()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var (one, other) = (fixture.NewBrowser(), fixture.NewBrowser());
        await one.FollowAsync(new Uri(fixture.Bridge.Url, "page"));
        var begun = await other.SendAsync(HttpMethod.Get, "/page/sign-in");
        var state = System.Web.HttpUtility.ParseQueryString(begun.Location!.Query)["state"];
        var answer = await one.GetAsync($"/page/signed-in?code=stolen&state={state}");
        Assert.Equal((HttpStatusCode.BadRequest, "You are not signed in"), (answer.Status, answer.Heading));
        Assert.Equal(0, await fixture.Database.ScalarAsync<long>("select count(*) from page_sessions"));
    }

    [Fact]
    public async Task A_role_that_is_taken_away_counts_within_five_minutes()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        fixture.Keycloak.Realm(PageFixture.Realm).ChangeUser(await IdAsync(fixture), user => user with { ClientRoles = [] });
        Assert.Equal(HttpStatusCode.OK, (await browser.GetAsync("/page")).Status);

        await fixture.Database.ExecuteAsync(MakeRolesOld);
        var answer = await browser.GetAsync("/page");
        Assert.Equal((HttpStatusCode.Forbidden, "You have no role here"), (answer.Status, answer.Heading));
    }

    [Fact]
    public async Task A_disabled_operator_has_no_session_after_five_minutes()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        fixture.Keycloak.Realm(PageFixture.Realm).ChangeUser(await IdAsync(fixture), user => user with { Enabled = false });
        await fixture.Database.ExecuteAsync(MakeRolesOld);
        Assert.Equal(HttpStatusCode.Redirect, (await browser.GetAsync("/page")).Status);
        Assert.Equal(0, await fixture.Database.ScalarAsync<long>("select count(*) from page_sessions"));
    }

    [Fact]
    public async Task Sessions_go_on_while_Keycloak_is_away()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        await fixture.Database.ExecuteAsync(MakeRolesOld);
        await fixture.Keycloak.DisposeAsync();
        Assert.Equal(HttpStatusCode.OK, (await browser.GetAsync("/page/audit")).Status);
    }

    [Fact]
    public async Task A_logout_in_Keycloak_ends_the_session_at_once_in_all_replicas()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        using var admin = new AdministratorClient(fixture.Keycloak.Url, "admin", "admin", TimeProvider.System);
        await admin.SendAsync(
            HttpMethod.Post, $"admin/realms/{PageFixture.Realm}/users/{await IdAsync(fixture)}/logout", null, Token);
        Assert.Equal(HttpStatusCode.Redirect, (await browser.GetAsync("/page")).Status);
    }

    [Fact]
    public async Task A_sign_out_ends_the_session_here_and_in_Keycloak()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var answer = await browser.PostAsync("/page/sign-out");
        var end = await browser.FollowAsync(answer.Location!);
        Assert.Equal("You are signed out", end.Heading);
        Assert.Equal(HttpStatusCode.Redirect, (await browser.GetAsync("/page")).Status);
    }

    [Theory]
    [InlineData("update page_sessions set seen_at = seen_at - interval '31 minutes'")]
    [InlineData("update page_sessions set created_at = created_at - interval '8 hours 1 minute'")]
    public async Task A_session_ends_when_it_is_idle_or_old(string later)
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        await fixture.Database.ExecuteAsync(later);
        Assert.Equal(HttpStatusCode.Redirect, (await browser.GetAsync("/page")).Status);
    }

    [Fact]
    public async Task Two_replicas_serve_one_session()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        await using var replica = await fixture.StartReplicaAsync();
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        await fixture.Database.ExecuteAsync(MakeRolesOld);
        // The cookie is the host's, whatever the port.
        Assert.Equal("Overview", (await browser.FollowAsync(new Uri(replica.Url, "page"))).Heading);
        Assert.Equal("Overview", (await browser.GetAsync("/page")).Heading);
    }

    [Fact]
    public async Task No_cookie_and_no_token_stands_in_the_database_as_it_is()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        await fixture.SignedInAsync(PageFixture.Admin);
        var stored = await fixture.Database.ScalarAsync<string>(
            "select encode(tokens, 'escape') || encode(id_hash, 'hex') from page_sessions");
        Assert.DoesNotContain("eyJ", stored, StringComparison.Ordinal);
        Assert.False(fixture.Bridge.Log.Says("eyJ"));
    }

    private static async Task<string> IdAsync(PageFixture fixture) =>
        (await fixture.Database.ScalarAsync<string>("select subject from page_sessions"))!;
}
