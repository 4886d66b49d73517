using System.Net;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Page;

/// <summary>What each route answers to each kind of operator.</summary>
public sealed class PageRouteTests(PostgresFixture postgres)
{
    private const string Referral = "6f0e0d0c-0b0a-4909-8807-060504030201";
    private const HttpStatusCode Ok = HttpStatusCode.OK;
    private const HttpStatusCode Found = HttpStatusCode.Redirect;
    private const HttpStatusCode Denied = HttpStatusCode.Forbidden;
    private const HttpStatusCode Hidden = HttpStatusCode.NotFound;
    private const HttpStatusCode SignIn = HttpStatusCode.Unauthorized;

    // Route, path in realm demo, form; then what anonymous callers, users without a role, viewers, admins, and admins of another realm get.
    private static readonly RouteRow[] Rows =
    [
        new("GET", "/page", "/page", [Found, Denied, Ok, Ok, Ok]),
        new("POST", "/page/check", "/page/check", [SignIn, Denied, Found, Found, Found]),
        new("GET", "/page/accounts", "/page/accounts?realm=demo", [Found, Denied, Ok, Ok, Hidden]),
        new("POST", "/page/accounts/find", "/page/accounts/find", [SignIn, Denied, Ok, Ok, Ok], "q=nothing-of-this-name"),
        new("GET", "/page/accounts/{realm}/{id}", "/page/accounts/demo/{id}", [Found, Denied, Ok, Ok, Hidden]),
        new("POST", "/page/accounts/{realm}/{id}/ask", "/page/accounts/demo/{id}/ask", [SignIn, Denied, Denied, Found, Hidden]),
        new("POST", "/page/accounts/{realm}/{id}/hint", "/page/accounts/demo/none/hint",
            [SignIn, Denied, Denied, HttpStatusCode.Conflict, Hidden], "do=drop"),
        new("POST", "/page/accounts/{realm}/{id}/{act:regex(^(allocate|refund|switch|void|extend)$)}", "/page/accounts/demo/{id}/allocate",
            [SignIn, Denied, Denied, Found, Hidden], "amount=1&reason=because&step=do&key=0123456789abcdef"),
        new("GET", "/page/review", "/page/review?realm=demo", [Found, Denied, Ok, Ok, Hidden]),
        new("POST", "/page/review/{realm}/all", "/page/review/demo/all", [SignIn, Denied, Denied, Ok, Hidden], "do=reject"),
        new("POST", "/page/review/{realm}/{id:guid}", $"/page/review/demo/{Referral}",
            [SignIn, Denied, Denied, Hidden, Hidden], "do=approve&version=1"),
        new("GET", "/page/runs", "/page/runs?realm=demo", [Found, Denied, Ok, Ok, Hidden]),
        new("POST", "/page/runs/{realm}", "/page/runs/demo", [SignIn, Denied, Denied, Found, Hidden]),
        new("GET", "/page/runs/{realm}/{id:long}", "/page/runs/demo/{run}", [Found, Denied, Ok, Ok, Hidden]),
        new("POST", "/page/runs/{realm}/{id:long}/go", "/page/runs/demo/{run}/go", [SignIn, Denied, Denied, Found, Hidden]),
        new("POST", "/page/runs/{realm}/{id:long}/stop", "/page/runs/demo/{run}/stop",
            [SignIn, Denied, Denied, HttpStatusCode.Conflict, Hidden]),
        new("GET", "/page/runs/{realm}/{id:long}/live", "/page/runs/demo/{run}/live", [SignIn, Denied, Ok, Ok, Hidden]),
        new("GET", "/page/deliveries", "/page/deliveries?realm=demo", [Found, Denied, Ok, Ok, Hidden]),
        new("POST", "/page/deliveries/{realm}/replay-failed", "/page/deliveries/demo/replay-failed",
            [SignIn, Denied, Denied, HttpStatusCode.Conflict, Hidden], "users=1"),
        new("POST", "/page/deliveries/{realm}/{id:guid}/replay", "/page/deliveries/demo/0190163d-8694-739b-aea5-966c26f8ad91/replay",
            [SignIn, Denied, Denied, Hidden, Hidden]),
        new("GET", "/page/hints", "/page/hints?realm=demo", [Found, Denied, Ok, Ok, Hidden]),
        new("POST", "/page/hints/{realm}", "/page/hints/demo",
            [SignIn, Denied, Denied, HttpStatusCode.Conflict, Hidden], "user=none&do=retry"),
        new("POST", "/page/hints/{realm}/retry-all", "/page/hints/demo/retry-all", [SignIn, Denied, Denied, Found, Hidden], "count=0"),
        new("GET", "/page/grants", "/page/grants?realm=demo", [Found, Denied, Ok, Ok, Hidden]),
        new("GET", "/page/codes", "/page/codes?realm=demo", [Found, Denied, Ok, Ok, Hidden]),
        new("POST", "/page/codes/{realm}", "/page/codes/demo",
            [SignIn, Denied, Denied, Ok, Hidden], "name=summer&credits=1&count=1&max_redemptions=1&once=user"),
        new("GET", "/page/codes/{realm}/{name}", "/page/codes/demo/spring", [Found, Denied, Ok, Ok, Hidden]),
        new("POST", "/page/codes/{realm}/{name}/disable", "/page/codes/demo/spring/disable",
            [SignIn, Denied, Denied, HttpStatusCode.Conflict, Hidden], "number=7&reason=because"),
        new("POST", "/page/codes/{realm}/{name}/void", "/page/codes/demo/spring/void",
            [SignIn, Denied, Denied, Ok, Hidden], "reason=because"),
        new("GET", "/page/referrals", "/page/referrals?realm=demo", [Found, Denied, Ok, Ok, Hidden]),
        new("GET", "/page/referrals/{realm}/{id:guid}", $"/page/referrals/demo/{Referral}", [Found, Denied, Ok, Ok, Hidden]),
        new("POST", "/page/referrals/{realm}/{id:guid}/reverse", $"/page/referrals/demo/{Referral}/reverse",
            [SignIn, Denied, Denied, Ok, Hidden], "reason=because"),
        new("GET", "/page/experiments", "/page/experiments?realm=demo", [Found, Denied, Ok, Ok, Hidden]),
        new("POST", "/page/experiments/{realm}/{name}", "/page/experiments/demo/none",
            [SignIn, Denied, Denied, Hidden, Hidden], "reason=because&name=none"),
        new("GET", "/page/funnel", "/page/funnel?realm=demo", [Found, Denied, Ok, Ok, Hidden]),
        new("GET", "/page/events", "/page/events", [Found, Denied, Hidden, Hidden, Hidden]),
        new("POST", "/page/events/{name}/replay", "/page/events/crm/replay", [SignIn, Denied, Hidden, Hidden, Hidden], "count=0"),
        new("GET", "/page/audit", "/page/audit?realm=demo", [Found, Denied, Ok, Ok, Hidden]),
        new("GET", "/page/audit.csv", "/page/audit.csv?realm=demo", [Found, Denied, Ok, Ok, Hidden]),
        new("GET", "/page/settings", "/page/settings", [Found, Denied, Hidden, Hidden, Hidden]),
        new("POST", "/page/sign-out", "/page/sign-out", [SignIn, Found, Found, Found, Found]),
    ];

    // Without a session by their nature; the last one is what is no route.
    private static readonly string[] Open =
    [
        "GET /page/assets/{name}", "GET /page/sign-in", "GET /page/signed-in", "GET /page/signed-out", "POST /page/back-channel-logout",
        " /page/{*path:nonfile}",
    ];

    [Fact]
    public async Task Each_route_answers_each_kind_of_operator_as_its_role_says()
    {
        await using var fixture = await PageFixture.StartAsync(
            postgres, ("Reconciliation:Enabled", "true"), ("Grants:Codes:Key", new string('c', 32)));
        var user = await fixture.AddUserAsync();
        await fixture.Database.ExecuteAsync(
            """
            with made as (
                insert into code_campaigns (realm, name, credits, starts_at, key_check, created_by, created_at)
                values ('demo', 'spring', 5, now(), '', 'test', now()) returning id, realm)
            insert into codes (realm, code_hash, campaign_id, number, max_redemptions) select realm, 'hash', id, 1, 1 from made;
            insert into referrals (id, referrer, referee, state, touched_at, evaluated_at)
            values (@Id::uuid, @user, 'bob', 'touched', now(), now())
            """,
            new { Id = Referral, user });
        var run = await fixture.Database.ScalarAsync<long>(
            """
            insert into reconcile_runs (realm, mode, trigger, dry_run, re_evaluate, status, owner, started_at, updated_at, ended_at)
            values ('demo', 'list', 'http', true, false, 'done', '', now(), now(), now()) returning id
            """);
        string?[] operators =
            [null, PageFixture.Without, PageFixture.Viewer, PageFixture.Admin, PageFixture.AdminOfOther];
        List<string> wrong = [];
        for (var index = 0; index < operators.Length; index++)
        {
            var browser = operators[index] is { } name ? await fixture.SignedInAsync(name) : fixture.NewBrowser();
            foreach (var row in Rows)
            {
                var path = row.Path.Replace("{id}", user, StringComparison.Ordinal).Replace("{run}", $"{run}", StringComparison.Ordinal);
                var answer = row.Method == "GET" ? await browser.GetAsync(path) : await browser.PostAsync(path, row.Fields);
                if (answer.Status != row.Expected[index])
                    wrong.Add($"{operators[index] ?? "anonymous"} {row.Method} {path}: {answer.Status} and not {row.Expected[index]}");
            }
        }

        Findings.None(wrong);
    }

    [Fact]
    public async Task Every_route_of_the_page_stands_in_the_table()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var routes = fixture.Bridge.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(route => route.RoutePattern.RawText?.StartsWith("/page", StringComparison.Ordinal) == true)
            .Select(route => $"{string.Join(',', route.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? [])} "
                + route.RoutePattern.RawText!.TrimEnd('/'));
        Assert.Equal(
            Rows.Select(row => $"{row.Method} {row.Route}").Concat(Open).Order(StringComparer.Ordinal),
            routes.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_realm_that_is_not_there_and_a_realm_of_others_answer_alike()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var browser = await fixture.SignedInAsync(PageFixture.Viewer);
        var foreign = await browser.GetAsync($"/page/accounts?realm={PageFixture.Other}");
        var missing = await browser.GetAsync("/page/accounts?realm=nowhere");
        Assert.Equal((HttpStatusCode.NotFound, foreign.Status), (missing.Status, missing.Status));
        Assert.Equal(WithoutTime(missing.Body), WithoutTime(foreign.Body));

        static string WithoutTime(string body) => body[body.IndexOf("<head>", StringComparison.Ordinal)..];
    }

    [Fact]
    public async Task A_bridge_without_the_page_has_none_of_its_routes()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var bridge = await BridgeFixture.Build(
            BridgeFixture.Settings(database.ConnectionString, new Uri("http://127.0.0.1:1/"))).StartAsync();
        using var answer = await bridge.GetAsync("page");
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.False(answer.Headers.Contains("Set-Cookie"));
    }

    private sealed record RouteRow(string Method, string Route, string Path, HttpStatusCode[] Expected, string Form = "")
    {
        public (string Name, string Value)[] Fields =>
        [
            .. Form.Split('&', StringSplitOptions.RemoveEmptyEntries).Select(part => part.Split('=')).Select(pair => (pair[0], pair[1])),
        ];
    }
}
