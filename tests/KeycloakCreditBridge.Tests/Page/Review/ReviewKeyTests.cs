using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Page.Review;

/// <summary>Keys of the review, in a browser.</summary>
public sealed class ReviewKeyTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_decision_by_key_can_be_taken_back_and_is_sent_when_the_window_is_left()
    {
        await using var chromium = await ChromiumFixture.StartAsync();
        await using var fixture = await PageFixture.StartAsync(postgres);
        var (first, second) = (
            await ReviewScreenTests.HoldAsync(fixture, await fixture.AddUserAsync()),
            await ReviewScreenTests.HoldAsync(fixture, await fixture.AddUserAsync(), "same_inbox"));
        var page = await chromium.OpenAsync();
        await page.GoToAsync(new Uri(fixture.Bridge.Url, "page/review?realm=demo").ToString());
        await ChromiumFixture.SignInAsync(page, PageFixture.Admin, "A-long-passphrase-1");
        await page.WaitForSelectorAsync($"[data-hold='{first}']");
        await page.Keyboard.PressAsync("j");
        await page.Keyboard.PressAsync("a");
        await page.WaitForSelectorAsync("[data-hold] [role=status]");
        await page.Keyboard.PressAsync("u");
        await page.WaitForFunctionAsync("() => !document.querySelector('[data-hold] [role=status]')");

        // The focus went on to the second one with the key before.
        await page.Keyboard.PressAsync("r");
        await page.WaitForSelectorAsync("[data-hold] [role=status]");
        await page.GoToAsync(new Uri(fixture.Bridge.Url, "page").ToString());
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>(
                """
                select exists (select from grant_holds where id = @second and state = 'rejected')
                    and exists (select from grant_holds where id = @first and state = 'held')
                """,
                new { first, second }),
            "the second hold alone was decided");
        Assert.DoesNotContain(chromium.Complaints, text => text.Contains("/page/", StringComparison.Ordinal));
    }
}
