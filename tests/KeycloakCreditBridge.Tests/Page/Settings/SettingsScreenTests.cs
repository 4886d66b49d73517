using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Page.Settings;

public sealed class SettingsScreenTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Settings_are_shown_without_their_secrets()
    {
        await using var fixture = await PageFixture.StartAsync(postgres, ("Hints:MaxAttempts", "7"));
        var browser = await fixture.SignedInAsync(PageFixture.ViewerOfAll);
        var answer = await browser.GetAsync("/page/settings");
        Assert.Contains("Hints:MaxAttempts", answer.Body, StringComparison.Ordinal);
        Assert.Contains(fixture.Keycloak.Url.ToString(), answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain(BridgeFixture.Secret, answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain(new string('k', 32), answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("Password=", answer.Body, StringComparison.Ordinal);
    }
}
