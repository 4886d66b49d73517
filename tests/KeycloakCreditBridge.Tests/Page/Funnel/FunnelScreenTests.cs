using System.Net;
using KeycloakCreditBridge.Analytics.RollUps;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Page.Funnel;

public sealed class FunnelScreenTests(PostgresFixture postgres)
{
    [Fact]
    public async Task The_funnel_shows_the_steps_that_the_reports_count()
    {
        await using var fixture = await PageFixture.StartAsync(postgres, ("Analytics:MinimumGroup", "1"));
        for (var number = 0; number < 3; number++)
            await fixture.AddUserAsync();
        await fixture.Bridge.Services.GetRequiredService<RollUpStore>().RebuildAsync(whole: true, TestContext.Current.CancellationToken);
        var browser = await fixture.SignedInAsync(PageFixture.Viewer);
        var shown = await browser.GetAsync("/page/funnel?realm=demo");
        Assert.Contains("<th scope=\"row\">Account</th><td class=\"num\">3</td>", shown.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_range_that_ends_before_it_begins_is_named_at_its_field()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var browser = await fixture.SignedInAsync(PageFixture.Viewer);
        var shown = await browser.GetAsync("/page/funnel?realm=demo&from=2026-02-01&to=2026-01-01");
        Assert.Equal(HttpStatusCode.BadRequest, shown.Status);
        Assert.Contains("<strong>to</strong> is before", shown.Body, StringComparison.Ordinal);
    }
}
