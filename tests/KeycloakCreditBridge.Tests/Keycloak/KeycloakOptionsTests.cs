using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Keycloak;

public sealed class KeycloakOptionsTests
{
    [Fact]
    public void Everything_wrong_is_listed_at_once_with_key_and_remedy()
    {
        var failures = Validate(new KeycloakOptions
        {
            Url = "sso.example.com",
            RequestTimeout = TimeSpan.Zero,
            Realms =
            [
                new() { Name = " " },
                new() { Name = "shop", ClientSecret = "own", WebhookSecrets = ["a", "", "c"] },
                new() { Name = "shop", ClientSecret = "own" },
                new() { Name = "..", ClientSecret = "own" },
            ],
        });

        Assert.Equal(
            [
                "Keycloak:Url is no http or https address: give Keycloak's address, for example https://sso.example.com or " +
                "https://sso.example.com/auth.",
                "Keycloak:RequestTimeout is 00:00:00: give a time up to ten minutes, for example 00:00:30.",
                "Keycloak:Realms:0:Name is empty: name the realm as Keycloak does.",
                "Keycloak:Realms:0:ClientSecret is empty, and so is Keycloak:ClientSecret: give the secret that Keycloak shows at the " +
                "client's credentials, or a long random text that `setup keycloak` gives to the client.",
                "Keycloak:Realms:1:WebhookSecrets has 3 entries: give one, or two while one replaces the other.",
                "Keycloak:Realms:1:WebhookSecrets:1 is empty: give the webhook's secret or remove the entry.",
                "Keycloak:Realms:2:Name repeats 'shop' of Keycloak:Realms:1: configure each realm once.",
                "Keycloak:Realms:3:Name is '..': name the realm as Keycloak does.",
            ],
            failures);
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("ftp://sso.example.com", "no http")]
    [InlineData("/auth", "no http")]
    [InlineData("https://admin:s3cret@sso.example.com", "a user or a password")]
    [InlineData("https://sso.example.com/?realm=x", "a query")]
    public void An_address_must_lead_to_Keycloak_and_is_not_repeated(string url, string problem)
    {
        var failure = Assert.Single(Validate(Valid(url)));

        Assert.Contains(problem, failure, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", failure, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://sso.example.com", "https://sso.example.com/realms/x")]
    [InlineData("https://sso.example.com/", "https://sso.example.com/realms/x")]
    [InlineData("http://localhost:8080/auth/", "http://localhost:8080/auth/realms/x")]
    public void A_path_prefix_is_kept(string url, string address)
    {
        Assert.Empty(Validate(Valid(url)));
        Assert.Equal(address, Valid(url).Address("realms/x").AbsoluteUri);
    }

    [Fact]
    public void No_realm_is_an_error() =>
        Assert.StartsWith(
            "Keycloak:Realms is empty", Assert.Single(Validate(new() { Url = "http://x", ClientSecret = "s" })), StringComparison.Ordinal);

    [Fact]
    public void What_Keycloak_shows_in_place_of_a_secret_is_no_secret() => Assert.Equal(
        [
            "Keycloak:ClientSecret is what Keycloak shows in place of a secret: give the secret itself.",
            "Keycloak:Realms:0:ClientSecret is what Keycloak shows in place of a secret: give the secret itself.",
            "Keycloak:Realms:0:WebhookSecrets:1 is what Keycloak shows in place of a secret: give the secret itself.",
        ],
        Validate(new KeycloakOptions
        {
            Url = "https://sso.example.com",
            ClientSecret = "**********",
            Realms = [new() { Name = "shop", ClientSecret = "**********", WebhookSecrets = ["a*", "**********"] }],
        }));

    [Fact]
    public async Task Wrong_options_stop_the_start()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Keycloak:Realms:0:Name"] = "shop" });
        builder.AddKeycloak();
        using var host = builder.Build();

        var exception = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(TestContext.Current.CancellationToken));

        Assert.Equal(2, exception.Failures.Count());
        Assert.Same(TimeProvider.System, host.Services.GetRequiredService<TimeProvider>());
    }

    private static KeycloakOptions Valid(string url) =>
        new() { Url = url, ClientSecret = "s", Realms = [new() { Name = "shop", WebhookSecrets = ["a", "b"] }] };

    private static IEnumerable<string> Validate(KeycloakOptions options) =>
        new KeycloakOptionsValidator().Validate(null, options).Failures ?? [];
}
