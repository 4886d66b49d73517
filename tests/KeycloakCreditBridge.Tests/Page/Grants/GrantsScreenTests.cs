using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Page.Grants;

public sealed class GrantsScreenTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Accounts_whose_credits_end_next_are_shown_by_realm()
    {
        await using var fixture = await PageFixture.StartAsync(postgres, ("Grants:Opening:ExpiresAfter", "10.00:00:00"));
        var user = await fixture.AddUserAsync();
        var browser = await fixture.SignedInAsync(PageFixture.ViewerOfAll);
        var shown = await browser.GetAsync("/page/grants?realm=demo");
        Assert.Contains($"/page/accounts/demo/{user}", shown.Body, StringComparison.Ordinal);
        Assert.Contains("Opening credits end 10 d after the grant", shown.Body, StringComparison.Ordinal);
        Assert.DoesNotContain(user, (await browser.GetAsync("/page/grants?realm=shop")).Body, StringComparison.Ordinal);
    }
}
