using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Intake.Broker;
using KeycloakCreditBridge.Keycloak;

namespace KeycloakCreditBridge.Tests.Intake.Broker;

public sealed class BrokerSettingsTests
{
    [Theory]
    [InlineData("Intake:Broker:Url", "http://rabbit", "Intake:Broker:Url is no amqp or amqps address")]
    [InlineData("Intake:Broker:Url", "amqp://host/a/b", "Intake:Broker:Url is no amqp or amqps address")]
    [InlineData("Intake:Broker:Url", "amqp://guest:guest@host", "Intake:Broker:Url holds a user")]
    [InlineData("Intake:Broker:UserName", "", "Intake:Broker:UserName is empty")]
    [InlineData("Intake:Broker:Password", "", "Intake:Broker:Password is empty")]
    [InlineData("Intake:Broker:Exchange", " ", "Intake:Broker:Exchange is empty")]
    [InlineData("Intake:Broker:Queue", "amq.events", "Intake:Broker:Queue begins with amq.")]
    [InlineData("Intake:Broker:Prefetch", "0", "Intake:Broker:Prefetch is 0")]
    [InlineData("Keycloak:Realms:1:Name", "de.mo", "'demo' and 'de.mo' are both 'demo' in routing keys")]
    [InlineData("Keycloak:Realms:1:Name", "äöü", "Keycloak:Realms:1:BrokerName: nothing is left")]
    public void A_setting_that_cannot_be_used_stops_the_start_with_its_remedy(string key, string value, string problem)
    {
        var settings = BridgeFixture.Settings("Host=127.0.0.1;Port=9;Username=u;Database=d", new Uri("http://127.0.0.1:9"));
        settings["Intake:Broker:Url"] = "amqp://127.0.0.1:9/keycloak";
        settings["Intake:Broker:UserName"] = "u";
        settings["Intake:Broker:Password"] = "p";
        settings[key] = value;

        var refusal = Assert.Throws<ConfigurationException>(() => BridgeFixture.Build(settings));

        Assert.Contains(problem, refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("demo", null, "KK.EVENT.ADMIN.demo.SUCCESS.USER.CREATE")]
    [InlineData("my realm.de", null, "KK.EVENT.CLIENT.my_realmde.SUCCESS.app.REGISTER")]
    [InlineData("café", null, "KK.EVENT.CLIENT.caf.SUCCESS.app.REGISTER")]
    [InlineData("demo", "5d0c", "KC_CLIENT.5d0c.app.u1.REGISTER")]
    public void A_key_leads_to_its_realm(string name, string? brokerName, string key)
    {
        var keys = new RoutingKeys([new RealmOptions { Name = name, BrokerName = brokerName }, new RealmOptions { Name = "other" }]);

        Assert.Equal(name, keys.RealmIn(key)?.Name);
        Assert.Null(keys.RealmIn(key.Replace("KK.", "XX.", StringComparison.Ordinal).Replace("KC_", "XX_", StringComparison.Ordinal)));
    }
}
