using System.Net;
using KeycloakCreditBridge.Tests.Outbox;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Page.Events;

/// <summary>Operators of all realms see how endpoints stand, and admins of all realms have events sent again.</summary>
public sealed class EventsScreenTests(PostgresFixture postgres)
{
    private const string FillSql =
        """
        insert into outbox (account_id, type, data) select 'user-' || n, 'credits.granted', '{}' from generate_series(1, 5) n;
        insert into outbox (account_id, type, data) values ('user-1', 'credits.low', '{}');
        insert into outbox_endpoints (name, position, disabled_at, failing_since, error)
        select 'crm', min(seq) + 1, now(), now(), 'answered <b>410</b>' from outbox;
        insert into outbox_waiting (endpoint, seq, attempts, due_at, failed_at, given_up_at, error)
        select 'crm', min(seq), 7, now(), now(), now(), 'answered 500' from outbox;
        """;

    [Fact]
    public async Task A_viewer_sees_how_endpoints_stand_and_what_would_be_sent_again_and_sends_nothing()
    {
        await using var fixture = await StartAsync();
        var browser = await fixture.SignedInAsync(PageFixture.ViewerOfAll);
        var shown = await browser.GetAsync("/page/events");
        Assert.Contains("answered &lt;b&gt;410&lt;/b&gt;", shown.Body, StringComparison.Ordinal);
        Assert.Contains("crm.example.com", shown.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("in-the-path", shown.Body, StringComparison.Ordinal);
        Assert.DoesNotContain(SinkFixture.Secret, shown.Body, StringComparison.Ordinal);

        // Three after its place are of its type, and one that was given up.
        var counted = await browser.GetAsync("/page/events?endpoint=crm");
        Assert.Contains("<strong>4</strong> events", counted.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("/page/events/crm/replay", counted.Body, StringComparison.Ordinal);
        Assert.Equal(
            HttpStatusCode.Forbidden, (await browser.PostAsync("/page/events/crm/replay", ("count", "4"))).Status);
        Assert.Equal(1, await fixture.Database.ScalarAsync<long>("select count(*) from outbox_endpoints where disabled_at is not null"));
    }

    [Fact]
    public async Task An_admin_of_all_realms_sends_again_what_was_counted_and_no_other_number()
    {
        await using var fixture = await StartAsync();
        var admin = await fixture.SignedInAsync(PageFixture.AdminOfAll);
        Assert.Equal(HttpStatusCode.Conflict, (await admin.PostAsync("/page/events/crm/replay", ("count", "9"))).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await admin.PostAsync("/page/events/erp/replay", ("count", "0"))).Status);
        Assert.Contains("/page/events/crm/replay", (await admin.GetAsync("/page/events?endpoint=crm")).Body, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Redirect, (await admin.PostAsync("/page/events/crm/replay", ("count", "4"))).Status);

        Assert.Equal(0, await fixture.Database.ScalarAsync<long>(
            """
            select (select count(*) from outbox_endpoints where disabled_at is not null)
                + (select count(*) from outbox_waiting where given_up_at is not null)
            """));
        Assert.Equal(
            ["refused 9", "refused 0", "success 4"],
            await fixture.Database.QueryAsync<string>(
                """
                select result || ' ' || (metadata ->> 'count') from audit_logs
                where action = 'page.replay_events' and metadata ->> 'by' is not null order by timestamp, id
                """));
    }

    [Fact]
    public async Task All_events_since_a_day_are_sent_again_from_before_the_place_of_the_endpoint()
    {
        await using var fixture = await StartAsync();
        var admin = await fixture.SignedInAsync(PageFixture.AdminOfAll);
        var counted = await admin.GetAsync("/page/events?endpoint=crm&since=2020-01-31");
        Assert.Contains("<strong>5</strong> events", counted.Body, StringComparison.Ordinal);
        await admin.PostAsync("/page/events/crm/replay", ("count", "5"), ("since", "2020-01-31"));
        Assert.Equal(0, await fixture.Database.ScalarAsync<long>(
            """
            select (select count(*) from outbox o where o.seq <= e.position) + (select count(*) from outbox_waiting) from outbox_endpoints e
            """));
    }

    // Events are off, so that no service sends while the test looks.
    private async Task<PageFixture> StartAsync()
    {
        var fixture = await PageFixture.StartAsync(
            postgres, ("Outbox:Endpoints:crm:Url", "https://crm.example.com/in-the-path"),
            ("Outbox:Endpoints:crm:Secret", SinkFixture.Secret), ("Outbox:Endpoints:crm:Types:0", "credits.granted"));
        await fixture.Database.ExecuteAsync(FillSql);
        return fixture;
    }
}
