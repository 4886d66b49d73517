using KeycloakCreditBridge.Api;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Metering;
using KeycloakCreditBridge.Periods;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Configuration.Reload;

/// <summary>What becomes of a settings' file that changes while the bridge runs.</summary>
public sealed class SettingsReloadTests
{
    private const int Changed = 794;
    private const int Refused = 795;
    private const int NeedsRestart = 796;
    private const int Unchanged = 797;

    [Fact]
    public void A_change_is_used_and_named_in_one_line_with_old_and_new_values()
    {
        using var fixture = ReloadFixture.Start("""{ "Provisioning": { "Tiers": { "trial": { "Credits": 5 } } } }""");
        fixture.Write("""{ "Provisioning": { "Tiers": { "trial": { "Credits": 7 } }, "Realms": { "shop": { "Amount": 3 } } } }""");
        fixture.ReadWritten();

        Assert.Equal(7m, fixture.Get<ProvisioningOptions>().Tiers["trial"].Credits);
        Assert.Equal(7m, fixture.Get<GrantPolicy>().Tiers.Find("trial")!.Credits);
        Assert.Equal(1, fixture.Lines(Changed));
        Assert.True(fixture.Log.Says(
            "Settings changed (2), for what begins from here on: Provisioning:Realms:shop:Amount (none) → 3, "
            + "Provisioning:Tiers:trial:Credits 5 → 7"), string.Join('\n', fixture.Log.All));
        Assert.Equal(5m, fixture.Services.GetRequiredService<IOptions<ProvisioningOptions>>().Value.Tiers["trial"].Credits);
    }

    [Fact]
    public void Prices_limits_periods_and_eligibility_change_together()
    {
        using var fixture = ReloadFixture.Start("{}", "Metering:ApiKeys:0=gateway-key-of-the-test");
        fixture.Write(
            """
            {
              "Metering": { "Prices": { "Models": { "m": 2 } }, "BelowZero": "Clamp", "Gate": { "Undecided": "Refuse" } },
              "Api": { "RateLimits": { "PerUser": 7 } },
              "Periods": { "Rollover": true, "MaxRollover": 9 },
              "Provisioning": { "Eligibility": { "EmailVerified": true } }
            }
            """);
        fixture.ReadWritten();

        Assert.Equal(2m, fixture.Get<MeteringOptions>().Prices.Models["m"]);
        Assert.Equal(GateDecision.Refuse, fixture.Get<MeteringOptions>().Gate.Undecided);
        Assert.Equal(7, fixture.Get<ApiOptions>().RateLimits.PerUser);
        Assert.Equal(9m, fixture.Get<PeriodRules>().Terms.MaxRollover);
        Assert.True(fixture.Get<GrantPolicy>().RulesOf("shop").RequiresVerifiedAddress);
        Assert.Equal("gateway-key-of-the-test", Assert.Single(fixture.Get<MeteringOptions>().ApiKeys));
    }

    [Fact]
    public void What_stops_a_start_refuses_the_change_as_a_whole()
    {
        using var fixture = ReloadFixture.Start("{}");
        var before = fixture.Get<ProvisioningOptions>();
        fixture.Write("""{ "Provisioning": { "Amount": 9, "Tier": "gold" }, "Api": { "RateLimits": { "PerUser": 7 } } }""");
        fixture.ReadWritten();
        fixture.ReadWritten();

        Assert.Same(before, fixture.Get<ProvisioningOptions>());
        Assert.Equal(100, fixture.Get<ApiOptions>().RateLimits.PerUser);
        Assert.Equal((0, 1), (fixture.Lines(Changed), fixture.Lines(Refused)));
        Assert.Contains("Provisioning:Tier is 'gold': choose one of", fixture.Status.Problem, StringComparison.Ordinal);

        fixture.Write("""{ "Provisioning": { "Amount": 9, "Tier": "starter" } }""");
        fixture.ReadWritten();
        Assert.Null(fixture.Status.Problem);
        Assert.Equal(9m, fixture.Get<ProvisioningOptions>().Amount);
    }

    [Fact]
    public void A_misspelled_key_refuses_a_change_as_it_stops_a_start()
    {
        using var fixture = ReloadFixture.Start("{}");
        fixture.Write("""{ "Provisioning": { "Amount": 9, "Teer": "starter" } }""");
        fixture.ReadWritten();
        Assert.Null(fixture.Get<ProvisioningOptions>().Amount);
        Assert.Contains(
            "Provisioning:Teer is not a setting: did you mean Provisioning:Tier", fixture.Status.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_that_needs_a_restart_is_named_once_and_not_used()
    {
        using var fixture = ReloadFixture.Start("""{ "Hints": { "BatchSize": 100 } }""");
        fixture.Write(
            """
            {
              "Hints": { "BatchSize": 50 },
              "Provisioning": { "Amount": 4, "AccountId": "{username}", "SignupGrant": { "EmailKey": "k3y" } }
            }
            """);
        fixture.ReadWritten();

        Assert.Equal(4m, fixture.Get<ProvisioningOptions>().Amount);
        Assert.Equal("{id}", fixture.Get<ProvisioningOptions>().AccountId);
        Assert.True(fixture.Log.Says("until then their values at the start stay: "
            + "Hints:BatchSize, Provisioning:AccountId, Provisioning:SignupGrant:EmailKey"), string.Join('\n', fixture.Log.All));
        Assert.False(fixture.Log.Says("k3y"));
        Assert.Equal(3, fixture.Status.Waiting.Count);

        fixture.Write(File.ReadAllText(fixture.File).Replace("4", "6", StringComparison.Ordinal));
        fixture.ReadWritten();
        Assert.Equal(6m, fixture.Get<ProvisioningOptions>().Amount);
        Assert.Equal(1, fixture.Lines(NeedsRestart));
    }

    [Fact]
    public void A_hot_setting_that_is_right_only_after_a_restart_waits_for_it()
    {
        using var fixture = ReloadFixture.Start("{}");
        fixture.Write(
            """{ "Keycloak": { "Realms": { "1": { "Name": "new" } } }, "Provisioning": { "Realms": { "new": { "Amount": 1 } } } }""");
        fixture.ReadWritten();
        Assert.Empty(fixture.Get<ProvisioningOptions>().Realms);
        Assert.StartsWith(
            "The change needs a restart, because Keycloak:Realms:1:Name changed too.", fixture.Status.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void What_wins_over_the_file_stays()
    {
        using var fixture = ReloadFixture.Start("{}", "Provisioning:Amount=8");
        fixture.Write("""{ "Provisioning": { "Amount": 9 } }""");
        fixture.ReadWritten();
        Assert.Equal(8m, fixture.Get<ProvisioningOptions>().Amount);
        Assert.Equal((0, 1), (fixture.Lines(Changed), fixture.Lines(Unchanged)));
    }

    [Fact]
    public void Replicas_with_the_same_settings_have_one_hash_whatever_their_addresses_and_secrets_are()
    {
        using var one = ReloadFixture.Start("""{ "Provisioning": { "Amount": 1 } }""");
        using var other = ReloadFixture.Start(
            """{ "Provisioning": { "Amount": 2 }, "Serilog": { "MinimumLevel": "Debug" } }""",
            "Keycloak:ClientSecret=another", "Keycloak:Url=https://other.example.com", "Management:Url=http://+:9999",
            "Intake:Webhook:Url=http://b:8085", "Reconciliation:Enabled=false");
        Assert.NotEqual(Hash(one), Hash(other));
        other.Write("""{ "Provisioning": { "Amount": 1.0 } }""");
        other.ReadWritten();
        Assert.Equal(Hash(one), Hash(other));

        static string Hash(ReloadFixture fixture) =>
            fixture.Services.GetRequiredService<CurrentSettings>().Version.Hash(fixture.Services.GetRequiredService<HotKeys>());
    }

    [Fact]
    public void No_hot_setting_is_a_secret()
    {
        using var fixture = ReloadFixture.Start("{}");
        var hot = fixture.Services.GetRequiredService<HotKeys>();
        Assert.True(hot.IsHot("Provisioning:Realms:shop:Tier"));
        foreach (var key in (string[])["Provisioning:SignupGrant:EmailKey", "Metering:ApiKeys:0", "Keycloak:Realms:0:WebhookSecrets:0",
            "Storage:Password", "Keycloak:Database:ConnectionString"])
            Assert.True(!hot.IsHot(key) && SecretKey.Is(key), key);
    }

    [Fact]
    public void A_secret_of_a_file_that_is_replaced_later_is_in_the_next_version()
    {
        using var fixture = ReloadFixture.Start("{}");
        var settings = fixture.Services.GetRequiredService<CurrentSettings>();
        fixture.Write("""{ "Provisioning": { "Amount": 9 } }""");
        fixture.ReadWritten();
        settings.Renew(fixture.Services.GetRequiredService<Microsoft.Extensions.Configuration.IConfiguration>());
        Assert.Equal(9m, fixture.Get<ProvisioningOptions>().Amount);
        Assert.Equal("shop", Assert.Single(settings.Version.Get<KeycloakCreditBridge.Keycloak.KeycloakOptions>().Realms).Name);
        Assert.Equal(3, settings.Version.Number);
    }
}
