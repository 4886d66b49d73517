using KeycloakCreditBridge.Brokers;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake.Broker;

/// <summary>Checks the broker's settings, and that each realm can be told from the others by the routing keys of its events.</summary>
internal sealed class BrokerSettingsValidator(IOptions<KeycloakOptions> keycloak) : IValidateOptions<IntakeOptions>
{
    // The longest that the protocol allows, less what the dead letters' name adds.
    private const int LongestName = 250;

    public ValidateOptionsResult Validate(string? name, IntakeOptions options)
    {
        if (!options.Broker.IsEnabled)
            return ValidateOptionsResult.Success;
        var problems = Problems(options.Broker)
            .Select(problem => $"{IntakeOptions.Section}:Broker:{problem}").Concat(RealmProblems()).ToList();
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private static IEnumerable<string> Problems(BrokerOptions options)
    {
        if (BrokerAccount.UrlProblem(options.Url) is { } wrong)
            yield return $"Url {wrong}";
        if (string.IsNullOrWhiteSpace(options.UserName))
            yield return "UserName is empty: give the broker's user, whose permissions docs/rabbitmq.md names.";
        if (string.IsNullOrWhiteSpace(options.Password))
            yield return "Password is empty: give the user's password, or Intake:Broker:Password_FILE.";
        if (string.IsNullOrWhiteSpace(options.Exchange))
            yield return "Exchange is empty: give the exchange that Keycloak's plugin publishes to, such as amq.topic.";
        if (string.IsNullOrWhiteSpace(options.Queue) || options.Queue.Length > LongestName)
            yield return $"Queue is empty or longer than {LongestName} characters: give a name such as credit-bridge.events.";
        else if (options.Queue.StartsWith("amq.", StringComparison.Ordinal))
            yield return "Queue begins with amq., which the broker keeps for itself: give a name such as credit-bridge.events.";
        if (options.Prefetch is < 1 or > 10_000)
            yield return $"Prefetch is {options.Prefetch}: choose 1 to 10000.";
    }

    private IEnumerable<string> RealmProblems()
    {
        var realms = keycloak.Value.Realms;
        foreach (var realm in realms.Where(realm => RoutingKeys.NameOf(realm).Length == 0))
        {
            yield return $"{KeycloakOptions.Section}:Realms:{realms.IndexOf(realm)}:BrokerName: nothing is left of the realm's name "
                + "in the routing keys of its events: give the part of the key that stands for the realm.";
        }

        foreach (var same in realms.GroupBy(RoutingKeys.NameOf, StringComparer.Ordinal).Where(same => same.Count() > 1))
        {
            yield return $"{KeycloakOptions.Section}:Realms: {string.Join(" and ", same.Select(realm => $"'{realm.Name}'"))} are both "
                + $"'{same.Key}' in routing keys, so that their events cannot be told apart: rename one, have the plugin put its id "
                + "there and give that as BrokerName, or leave Intake:Broker:Url empty.";
        }
    }
}
