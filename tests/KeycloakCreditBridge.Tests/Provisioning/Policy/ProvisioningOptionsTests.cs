using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Tests.Provisioning.Policy;

public sealed class ProvisioningOptionsTests
{
    [Theory]
    [InlineData("Provisioning:Realms:demmo:Tier", "free", "Provisioning:Realms:demmo is no realm")]
    [InlineData("Provisioning:Realms:demo:Tier", "gold", "Provisioning:Realms:demo:Tier is 'gold'")]
    [InlineData("Provisioning:Realms:demo:Amount", "-1", "Provisioning:Realms:demo:Amount is -1")]
    [InlineData("Provisioning:Realms:demo:AccountId", "{nope}", "Provisioning:Realms:demo:AccountId has '{nope}'")]
    [InlineData("Provisioning:Realms:demo:SignupGrant:OncePer", "Email", "Provisioning:SignupGrant:EmailKey has 0 characters")]
    [InlineData("Provisioning:Realms:demo:Eligibility:EmailDomains:0", "@example.com",
        "Provisioning:Realms:demo:Eligibility:EmailDomains:0 is '@example.com'")]
    [InlineData("Provisioning:Amount", "0.0000001", "Provisioning:Amount is 0.0000001")]
    [InlineData("Provisioning:AccountId", "{realm}", "Provisioning:AccountId is '{realm}'")]
    [InlineData("Provisioning:SignupGrant:OncePer", "Email", "Provisioning:SignupGrant:EmailKey has 0 characters")]
    [InlineData("Provisioning:SignupGrant:OncePer", "Inbox", "Provisioning:SignupGrant:EmailKey has 0 characters")]
    [InlineData("Provisioning:SignupGrant:PreviousEmailKeys:0", "short", "Provisioning:SignupGrant:PreviousEmailKeys:0 has 5 characters")]
    [InlineData("Provisioning:SignupGrant:RetainClaims", "1.00:00:00", "Provisioning:SignupGrant:RetainClaims is 1.00:00:00")]
    [InlineData("Provisioning:DisabledUsers", "Delete", "Provisioning:DisabledUsers is 'Delete'")]
    [InlineData("Provisioning:Eligibility:Attribute", "=x", "Provisioning:Eligibility:Attribute is '=x'")]
    [InlineData("Provisioning:Eligibility:IdentityProviders:0", " ", "Provisioning:Eligibility:IdentityProviders:0 is empty")]
    [InlineData("Provisioning:TierFrom:Attribute", " ", "Provisioning:TierFrom:Attribute is blank")]
    [InlineData("Provisioning:TierFrom:Groups:0:Tier", "free", "Provisioning:TierFrom:Groups:0:Path is ''")]
    [InlineData("Provisioning:TierFrom:RealmRoles:0:Tier", "free", "Provisioning:TierFrom:RealmRoles:0:Name is empty")]
    [InlineData("Provisioning:TierFrom:RealmRoles:0:Name", "vip", "Provisioning:TierFrom:RealmRoles:0:Tier is ''")]
    [InlineData("Provisioning:Realms:demo:TierFrom:RealmRoles:0:Name", "vip", "Provisioning:Realms:demo:TierFrom:RealmRoles:0:Tier is ''")]
    [InlineData("Provisioning:Realms:demo:TierFrom:Groups:0:Path", "/gold", "Provisioning:Realms:demo:TierFrom:Groups:0:Tier is ''")]
    public void A_rule_that_cannot_hold_stops_the_start_with_its_key(string key, string value, string said)
    {
        var exception = Assert.Throws<ConfigurationException>(() => Build((key, value)).Dispose());
        Assert.StartsWith(said, Assert.Single(exception.Problems), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{email}", "{username}")]
    [InlineData("{email}", "{attribute:mail}")]
    [InlineData("{email}", "u-{username}")]
    [InlineData("{email}", "{email}{username}")]
    [InlineData("{username}", "{email}")]
    public void A_value_that_users_choose_may_not_stand_where_another_realm_has_addresses(string template, string other)
    {
        var exception = Assert.Throws<ConfigurationException>(
            () => Build(
                ("Keycloak:Realms:1:Name", "shop"), ("Provisioning:AccountId", template),
                ("Provisioning:Realms:shop:AccountId", other)).Dispose());
        Assert.Contains("use {realm}:", Assert.Single(exception.Problems), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{email}", "{realm}:{username}")]
    [InlineData("{realm}:{email}", "{username}")]
    [InlineData("{email}", "{id}")]
    [InlineData("{email}", "{username}-{id}")]
    [InlineData("{email}", "{email}")]
    [InlineData("{username}", "{attribute:mail}")]
    public void Templates_that_keep_addresses_apart_may_stand_beside_each_other(string template, string other) => Build(
        ("Keycloak:Realms:1:Name", "shop"), ("Provisioning:AccountId", template),
        ("Provisioning:Realms:shop:AccountId", other)).Dispose();

    [Theory]
    [InlineData("gold")]
    [InlineData("/")]
    [InlineData("/gold/")]
    public void A_path_that_no_group_has_stops_the_start(string path)
    {
        var exception = Assert.Throws<ConfigurationException>(
            () => Build(("Provisioning:TierFrom:Groups:0:Path", path), ("Provisioning:TierFrom:Groups:0:Tier", "free")).Dispose());
        Assert.StartsWith(
            $"Provisioning:TierFrom:Groups:0:Path is '{path}': give the group's whole path", Assert.Single(exception.Problems),
                StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_that_is_too_short_is_not_shown()
    {
        var exception = Assert.Throws<ConfigurationException>(() => Build(
            ("Provisioning:SignupGrant:OncePer", "Email"), ("Provisioning:SignupGrant:EmailKey", "hush-hush")).Dispose());
        Assert.DoesNotContain("hush", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Rules_of_a_realm_that_is_watched_are_taken() => Build(
        ("Provisioning:Realms:demo:Tier", "free"), ("Provisioning:Realms:demo:DeletedUsers", "Forfeit"),
        ("Provisioning:Realms:demo:SignupGrant:OncePer", "Email"), ("Provisioning:SignupGrant:EmailKey", new string('k', 32))).Dispose();

    private static BridgeFixture Build(params (string Key, string? Value)[] settings) =>
        BridgeFixture.Build(BridgeFixture.Settings("Host=db;Database=credits", new Uri("http://127.0.0.1:9")), settings);
}
