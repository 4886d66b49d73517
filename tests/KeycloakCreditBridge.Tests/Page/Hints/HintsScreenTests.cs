using System.Net;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Page.Hints;

public sealed class HintsScreenTests(PostgresFixture postgres)
{
    private const string AddSql =
        """
        insert into user_hints (realm, keycloak_id, version, kind, cause, source, hinted_at, due_at, attempts, state, error)
        select @realm, 'lost-' || n, nextval('user_hints_version'), 'changed', 'REGISTER', 'poll', now() - interval '1 hour', now(), 10,
            'dead', 'Keycloak answered 500'
        from generate_series(1, @count) as n
        """;

    [Fact]
    public async Task A_dead_hint_is_deleted_with_a_reason()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        await fixture.Database.ExecuteAsync(AddSql, new { realm = PageFixture.Realm, count = 1 });
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        var shown = await browser.GetAsync("/page/hints?realm=demo&state=dead");
        Assert.Contains("Keycloak answered 500", shown.Body, StringComparison.Ordinal);

        var without = await browser.PostAsync("/page/hints/demo", ("user", "lost-1"), ("do", "drop"));
        Assert.Equal(HttpStatusCode.BadRequest, without.Status);
        await browser.PostAsync("/page/hints/demo", ("user", "lost-1"), ("do", "drop"), ("reason", "no such user"));
        Assert.Equal(0, await CountAsync(fixture));
        Assert.Equal("no such user", await fixture.Database.ScalarAsync<string>(
            "select metadata ->> 'reason' from audit_logs where action = 'page.drop_hint' and result = 'success'"));
    }

    [Fact]
    public async Task All_dead_hints_of_the_realm_are_tried_again_as_counted_and_no_others()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        await fixture.Database.ExecuteAsync(AddSql, new { realm = PageFixture.Realm, count = 3 });
        await fixture.Database.ExecuteAsync(AddSql, new { realm = PageFixture.Other, count = 2 });
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        Assert.Equal(HttpStatusCode.Conflict, (await browser.PostAsync("/page/hints/demo/retry-all", ("count", "2"))).Status);
        Assert.Equal(HttpStatusCode.Redirect, (await browser.PostAsync("/page/hints/demo/retry-all", ("count", "3"))).Status);
        Assert.Equal(2, await CountAsync(fixture));
    }

    private static Task<long> CountAsync(PageFixture fixture) =>
        fixture.Database.ScalarAsync<long>("select count(*) from user_hints where state = 'dead'");
}
