using KeycloakCreditBridge.Brokers;
using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Intake;

/// <summary>A RabbitMQ broker that a plugin of Keycloak publishes events to.</summary>
internal sealed class BrokerOptions
{
    /// <summary>
    /// Where it is: amqps://host:5671/virtual-host, or amqp:// in a network that is the two servers' alone. Empty: no events come by a
    /// broker.
    /// </summary>
    [OfReplica]
    public string Url { get; set; } = "";

    /// <summary>The user to sign in as. See docs/rabbitmq.md for its permissions.</summary>
    public string UserName { get; set; } = "";

    /// <summary>That user's password.</summary>
    public string Password { get; set; } = "";

    /// <summary>The topic exchange that the plugin publishes to. The bridge never makes it.</summary>
    public string Exchange { get; set; } = "amq.topic";

    /// <summary>
    /// The queue of all replicas of this bridge. What can never be read goes to a queue of the same name with `.dead` behind it.
    /// </summary>
    public string Queue { get; set; } = "credit-bridge.events";

    /// <summary>Whether the bridge makes its queues and their bindings, or finds them made by an operator.</summary>
    public bool Declare { get; set; } = true;

    /// <summary>How many events a replica takes before it has stored those that it has, 1 to 10,000.</summary>
    public int Prefetch { get; set; } = 500;

    public bool IsEnabled => Url.Length > 0;

    /// <summary>The exchange and the queue of what can never be read.</summary>
    public string DeadName => $"{Queue}.dead";

    /// <summary>Whether events and password leave the machine as plain text.</summary>
    public bool IsUnencrypted => BrokerAccount.IsUnencrypted(Url);

    /// <summary>Where it is, and the user to sign in as.</summary>
    internal BrokerAccount Account => new(Url, UserName, Password, $"{IntakeOptions.Section}:Broker", "docs/rabbitmq.md");
}
