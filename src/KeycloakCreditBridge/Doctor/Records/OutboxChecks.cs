using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Outbox;
using KeycloakCreditBridge.Outbox.Recording;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Doctor.Records;

/// <summary>Whether events about credits are recorded as the settings say.</summary>
internal sealed class OutboxChecks(IOptions<OutboxOptions> options, EventSwitchStore store)
{
    public IEnumerable<DoctorCheck> All() => options.Value.Enabled ? [new("events about credits", null, RecordedAsync)] : [];

    private async Task<Finding> RecordedAsync(CancellationToken cancellationToken) =>
        await store.IsOnAsync(cancellationToken) == true
            ? Finding.Ok("events about credits are recorded")
            : Finding.Warn(
                "events about credits are not all recorded",
                "start the service, which switches them on within a minute, or look for event 1101 in its log");
}
