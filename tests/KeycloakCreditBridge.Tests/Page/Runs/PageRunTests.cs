using System.Net;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Page.Runs;

public sealed class PageRunTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_backfill_goes_from_the_dry_run_to_its_end()
    {
        await using var fixture = await PageFixture.StartAsync(postgres, ("Reconciliation:Enabled", "true"));
        // The first reading of the realm, which opens the accounts of its operators.
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>(
                "select exists (select from reconcile_runs where realm = 'demo' and status = 'done')"),
            "the realm was read completely");
        fixture.Keycloak.Realm(PageFixture.Realm).AddUsers(30);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var dry = (await browser.PostAsync("/page/runs/demo", ("mode", "list"))).Location!.AbsolutePath;
        await EndedAsync(browser, dry);
        Assert.Contains("<strong>30</strong> accounts", (await browser.GetAsync(dry)).Body, StringComparison.Ordinal);
        Assert.Equal(6, await CountAsync());

        var live = (await browser.PostAsync($"{dry}/go")).Location!.AbsolutePath;
        await EndedAsync(browser, live);
        Assert.Equal(36, await CountAsync());
        var told = await browser.GetAsync($"{live}/live");
        Assert.Contains("event: progress", told.Body, StringComparison.Ordinal);
        Assert.Contains("event: end", told.Body, StringComparison.Ordinal);

        Task<long> CountAsync() => fixture.Database.ScalarAsync<long>("select count(*) from user_credits where realm = 'demo'");
    }

    [Fact]
    public async Task A_run_that_may_close_accounts_needs_the_realms_name()
    {
        await using var fixture = await PageFixture.StartAsync(postgres, ("Reconciliation:Enabled", "true"));
        var run = await DryRunAsync(fixture, "done", notShown: 1);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        Assert.Equal(HttpStatusCode.BadRequest, (await browser.PostAsync($"/page/runs/demo/{run}/go", ("name", "dem"))).Status);
        Assert.Equal(HttpStatusCode.Redirect, (await browser.PostAsync($"/page/runs/demo/{run}/go", ("name", "demo"))).Status);
    }

    [Theory]
    [InlineData("failed", "0 minutes")]
    [InlineData("done", "61 minutes")]
    public async Task Only_a_fresh_count_is_started(string status, string age)
    {
        await using var fixture = await PageFixture.StartAsync(postgres, ("Reconciliation:Enabled", "true"));
        var run = await DryRunAsync(fixture, status, 0, age);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        Assert.Equal(HttpStatusCode.Conflict, (await browser.PostAsync($"/page/runs/demo/{run}/go")).Status);
    }

    [Fact]
    public async Task A_waiting_run_is_stopped()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var run = await fixture.Database.ScalarAsync<long>(
            """
            insert into reconcile_runs (realm, mode, trigger, dry_run, re_evaluate, status, owner, started_at, updated_at)
            values ('demo', 'list', 'http', false, false, 'waiting', '', now(), now()) returning id
            """);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        await browser.PostAsync($"/page/runs/demo/{run}/stop");
        Assert.Equal(
            "cancelled", await fixture.Database.ScalarAsync<string>("select status from reconcile_runs where id = @run", new { run }));
    }

    private static Task<long> DryRunAsync(PageFixture fixture, string status, int notShown, string age = "0 minutes") =>
        fixture.Database.ScalarAsync<long>(
            """
            insert into reconcile_runs (realm, mode, trigger, dry_run, re_evaluate, status, owner, missing, not_shown, started_at,
                updated_at, ended_at)
            values ('demo', 'list', 'http', true, false, @status, '', 3, @notShown, now(), now(), now() - @age::interval) returning id
            """,
            new { status, notShown, age });

    private static Task EndedAsync(PageBrowser browser, string run) => Eventually.TrueAsync(
        async () => (await browser.GetAsync(run)).Body.Contains("<dd data-live=\"status\">done</dd>", StringComparison.Ordinal),
        "the run is done");
}
