using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Keycloak.Events;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Emulator.Events;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Setup;

namespace KeycloakCreditBridge.Tests.Keycloak.Events;

public sealed partial class UserEventTypesTests
{
    [Fact]
    public void The_demo_realm_and_its_README_store_exactly_the_types_that_matter()
    {
        var realm = JsonNode.Parse(DemoRealm.Json("secret", webhooks: true))!;
        Assert.Equal(UserEventTypes.Names, realm["enabledEventTypes"]!.AsArray().Select(type => (string)type!));

        var readme = File.ReadAllText(Path.Combine(Repository.Top, "keycloak-config", "README.md"));
        Assert.Equal(UserEventTypes.Names,
            JsonNode.Parse(TypesOfReadme().Match(readme).Groups["types"].Value)!.AsArray().Select(type => (string)type!));
    }

    [Fact]
    public void Every_server_knows_them_and_stores_them_by_default() =>
        Assert.All(Enum.GetValues<ServerModel>(), model => Assert.Empty(UserEventTypes.Names.Except(EventTypes.SavedBy(model))));

    [Fact]
    public void A_webhook_has_to_deliver_them() =>
        Assert.Empty(UserEventTypes.Names.Select(type => $"access.{type}").Except(RealmRequirements.DeliveryTypes));

    [Fact]
    public void Without_the_required_ones_users_appear_late_or_stay() =>
        Assert.Equal(["REGISTER", "DELETE_ACCOUNT"], UserEventTypes.Required);

    [Theory]
    [InlineData("USER_DISABLED_BY_PERMANENT_LOCKOUT")]
    [InlineData("FEDERATED_IDENTITY_LINK")]
    [InlineData("REMOVE_FEDERATED_IDENTITY")]
    [InlineData("VERIFY_PROFILE")]
    public void Changes_of_a_user_are_stored_and_not_only_understood(string type)
    {
        Assert.Contains(type, UserEventTypes.Names);
        Assert.Equal(nameof(UserEffect.Changed), UserEventTypes.EffectOf(type).ToString());
    }

    [GeneratedRegex("enabledEventTypes=(?<types>\\[[^]]*\\])", RegexOptions.CultureInvariant)]
    private static partial Regex TypesOfReadme();
}
