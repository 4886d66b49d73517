using System.Globalization;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Keycloak.Events;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Doctor;

/// <summary>What can be wrong with a realm's event settings. Each check reads them itself, so that none needs another.</summary>
internal sealed class EventSettingChecks(KeycloakEvents events, IOptions<IntakeOptions> intake)
{
    public async Task<Finding> UserEventsStoredAsync(string realm, CancellationToken cancellationToken) =>
        (await events.GetConfigAsync(realm, cancellationToken)).EventsEnabled
            ? Finding.Ok("user events are stored")
            : EventsMissed("user events are not stored", "switch on Realm settings, Events, User events settings, Save events");

    public async Task<Finding> AdminEventsStoredAsync(string realm, CancellationToken cancellationToken) =>
        (await events.GetConfigAsync(realm, cancellationToken)).AdminEventsEnabled
            ? Finding.Ok("admin events are stored")
            : EventsMissed("admin events are not stored", "switch on Realm settings, Events, Admin events settings, Save events");

    public async Task<Finding> TypesAsync(string realm, CancellationToken cancellationToken)
    {
        var stored = (await events.GetConfigAsync(realm, cancellationToken)).EnabledEventTypes;
        string[] missing = [.. UserEventTypes.Names.Except(stored, StringComparer.Ordinal)];
        // Keycloak lists its defaults; an empty list means them too.
        if (stored.Count == 0 || missing.Length == 0)
            return Finding.Ok("the event types that matter are stored");
        var says = $"events of the types {string.Join(", ", missing)} are not stored";
        const string cure = "add them in Realm settings, Events, User events settings";
        return missing.Intersect(UserEventTypes.Required, StringComparer.Ordinal).Any()
            ? EventsMissed(says, cure) : Finding.Warn(says, cure);
    }

    public async Task<Finding> RetentionAsync(string realm, CancellationToken cancellationToken)
    {
        var seconds = (await events.GetConfigAsync(realm, cancellationToken)).EventsExpiration ?? 0;
        if (seconds <= 0)
            return Finding.Ok("user events are kept for ever");
        var says = string.Create(CultureInfo.InvariantCulture, $"user events are kept for {seconds} s");
        var overlap = intake.Value.Poll.Overlap;
        return seconds > overlap.TotalSeconds
            ? Finding.Ok(says)
            : EventsMissed(
                $"{says}, which is not longer than Intake:Poll:Overlap ({overlap})",
                "keep them for a day or more: as long as the bridge may be down");
    }

    // A bridge that does not poll needs no stored events.
    private Finding EventsMissed(string says, string cure) =>
        intake.Value.Poll.Enabled ? Finding.Fail(says, cure) : Finding.Warn($"{says} (Intake:Poll:Enabled is false)", cure);
}
