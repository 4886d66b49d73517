using System.Globalization;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Operations.Diagnosis;

/// <summary>What can be wrong with what a realm stores of what happens. Each check reads the settings itself, so that none needs another.</summary>
internal sealed class EventSettingChecks(KeycloakClient keycloak, IOptions<IntakeOptions> intake)
{
    private const string Listener = "ext-event-webhook";

    // Without the first two users appear late and stay after they are gone; the others only tell sooner what changed.
    private static readonly string[] Needed = ["REGISTER", "DELETE_ACCOUNT"];
    private static readonly string[] Useful = ["LOGIN", "UPDATE_PROFILE", "UPDATE_EMAIL", "VERIFY_EMAIL"];

    public async Task<Finding> UserEventsStoredAsync(string realm, CancellationToken cancellationToken) =>
        (await keycloak.GetEventsConfigAsync(realm, cancellationToken)).EventsEnabled
            ? Finding.Ok("user events are stored")
            : Lost("user events are not stored", "switch on Realm settings, Events, User events settings, Save events");

    public async Task<Finding> AdminEventsStoredAsync(string realm, CancellationToken cancellationToken) =>
        (await keycloak.GetEventsConfigAsync(realm, cancellationToken)).AdminEventsEnabled
            ? Finding.Ok("admin events are stored")
            : Lost("admin events are not stored", "switch on Realm settings, Events, Admin events settings, Save events");

    public async Task<Finding> TypesAsync(string realm, CancellationToken cancellationToken)
    {
        var stored = (await keycloak.GetEventsConfigAsync(realm, cancellationToken)).EnabledEventTypes;
        string[] missing = [.. Needed.Concat(Useful).Except(stored, StringComparer.Ordinal)];
        // Keycloak spells out its defaults; an empty list stands for them all the same.
        if (stored.Count == 0 || missing.Length == 0)
            return Finding.Ok("the event types that matter are stored");
        var says = $"events of the types {string.Join(", ", missing)} are not stored";
        const string cure = "add them in Realm settings, Events, User events settings";
        return missing.Intersect(Needed, StringComparer.Ordinal).Any() ? Lost(says, cure) : Finding.Warn(says, cure);
    }

    public async Task<Finding> RetentionAsync(string realm, CancellationToken cancellationToken)
    {
        var seconds = (await keycloak.GetEventsConfigAsync(realm, cancellationToken)).EventsExpiration ?? 0;
        if (seconds <= 0)
            return Finding.Ok("user events are kept for ever");
        var says = string.Create(CultureInfo.InvariantCulture, $"user events are kept for {seconds} s");
        var overlap = intake.Value.Poll.Overlap;
        return seconds > overlap.TotalSeconds
            ? Finding.Ok(says)
            : Lost($"{says}, which is not longer than Intake:Poll:Overlap ({overlap})", "keep them for a day or more: as long as the bridge may be down");
    }

    public async Task<Finding> ListenerAsync(string realm, CancellationToken cancellationToken) =>
        (await keycloak.GetEventsConfigAsync(realm, cancellationToken)).EventsListeners.Contains(Listener, StringComparer.Ordinal)
            ? Finding.Ok($"the listener {Listener} is set")
            : Finding.Warn(
                $"the listener {Listener} is not set, so no webhook comes unless another plugin sends it",
                "add it in Realm settings, Events, Event listeners");

    // Whoever does not poll reads no stored event, and misses none.
    private Finding Lost(string says, string cure) =>
        intake.Value.Poll.Enabled ? Finding.Fail(says, cure) : Finding.Warn($"{says} (Intake:Poll:Enabled is false)", cure);
}
