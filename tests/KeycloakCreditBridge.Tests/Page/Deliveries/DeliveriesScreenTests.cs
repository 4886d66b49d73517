using System.Net;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Page.Deliveries;

public sealed class DeliveriesScreenTests(PostgresFixture postgres)
{
    private const string AddSql =
        """
        insert into deliveries (received_at, id, realm, way, format, event, keycloak_id, kind, outcome, reason, hints, duration_us, body)
        values (@at, @id, @realm, 'webhook', 'phasetwo', 'access.REGISTER', @user, 'changed', @outcome, 'database_away', 0, 1500, @body)
        """;

    [Fact]
    public async Task A_failed_delivery_is_shown_and_its_user_is_read_again()
    {
        await using var fixture = await StartAsync();
        var user = AddUser(fixture);
        var id = await AddAsync(fixture, user);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var shown = await browser.GetAsync("/page/deliveries?realm=demo&outcome=failed");
        Assert.Contains("<strong>1</strong> deliveries failed, of <strong>1</strong> known users", shown.Body, StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;", shown.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("<script>alert", shown.Body, StringComparison.Ordinal);

        await browser.PostAsync($"/page/deliveries/demo/{id}/replay");
        await HasAccountAsync(fixture, user);
        Assert.Equal(1, await AuditedAsync(fixture, "page.replay_delivery"));
    }

    [Fact]
    public async Task The_users_of_all_failed_deliveries_are_read_again_by_a_run()
    {
        await using var fixture = await StartAsync(("Reconciliation:Enabled", "true"));
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>(
                "select exists (select from reconcile_runs where realm = 'demo' and status = 'done')"),
            "the realm was read completely");
        string[] users = [AddUser(fixture), AddUser(fixture)];
        foreach (var user in users)
            await AddAsync(fixture, user);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var other = await browser.PostAsync("/page/deliveries/demo/replay-failed", ("users", "1"));
        Assert.Equal(HttpStatusCode.Conflict, other.Status);
        var answer = await browser.PostAsync("/page/deliveries/demo/replay-failed", ("users", "2"));
        Assert.StartsWith("/page/runs/demo/", answer.Location!.AbsolutePath, StringComparison.Ordinal);
        foreach (var user in users)
            await HasAccountAsync(fixture, user);
    }

    [Fact]
    public async Task A_delivery_of_another_realm_is_not_there()
    {
        await using var fixture = await StartAsync();
        var id = await AddAsync(fixture, AddUser(fixture), PageFixture.Other);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        Assert.Equal(HttpStatusCode.NotFound, (await browser.PostAsync($"/page/deliveries/demo/{id}/replay")).Status);
        Assert.DoesNotContain($"{id}", (await browser.GetAsync("/page/deliveries?realm=demo")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_delivery_stands_on_exactly_one_page()
    {
        await using var fixture = await StartAsync();
        var ids = new List<Guid>();
        for (var number = 0; number < 130; number++)
            ids.Add(await AddAsync(fixture, EmulatedUser.NewId(), outcome: "ignored", minutes: number));
        var browser = await fixture.SignedInAsync(PageFixture.Viewer);
        List<string> shown = [];
        for (string? path = "/page/deliveries?realm=demo&outcome=ignored"; path is not null;)
        {
            var answer = await browser.GetAsync(path);
            shown.AddRange(Regex.Matches(answer.Body, "<small>([0-9a-f-]{36})").Select(match => match.Groups[1].Value));
            var next = Regex.Match(answer.Body, "href=\"([^\"]+)\">Older").Groups[1].Value;
            path = next.Length > 0 ? WebUtility.HtmlDecode(next) : null;
        }

        Assert.Equal(ids.Select(id => $"{id}"), shown);
    }

    // The days of deliveries are made after the start.
    private async Task<PageFixture> StartAsync(params (string Key, string? Value)[] more)
    {
        var fixture = await PageFixture.StartAsync(postgres, more);
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select credit_make_delivery_days(now()) = 0"), "the days of deliveries are there");
        return fixture;
    }

    private static string AddUser(PageFixture fixture)
    {
        var user = new EmulatedUser(EmulatedUser.NewId(), $"user-{Guid.NewGuid():n}");
        fixture.Keycloak.Realm(PageFixture.Realm).AddUser(user);
        return user.Id;
    }

    private static async Task<Guid> AddAsync(
        PageFixture fixture, string user, string realm = PageFixture.Realm, string outcome = "not_stored", int minutes = 0)
    {
        var at = DateTimeOffset.FromUnixTimeMilliseconds(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()).AddMinutes(-minutes);
        var id = Guid.CreateVersion7(at);
        await fixture.Database.ExecuteAsync(AddSql, new { at, id, realm, user, outcome, body = "<script>alert(1)</script>" });
        return id;
    }

    private static Task HasAccountAsync(PageFixture fixture, string user) => Eventually.TrueAsync(
        () => fixture.Database.ScalarAsync<bool>("select exists (select from user_credits where keycloak_id = @user)", new { user }),
        "the user has an account");

    private static Task<long> AuditedAsync(PageFixture fixture, string action) => fixture.Database.ScalarAsync<long>(
        "select count(*) from audit_logs where action = @action and result = 'success'", new { action });
}
