using System.Globalization;
using KeycloakCreditBridge.Configuration.Shell;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Outbox;
using KeycloakCreditBridge.Outbox.Recording;
using KeycloakCreditBridge.Outbox.Sending;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Doctor.Records;

/// <summary>Whether events about credits are recorded as the settings say, and taken by their endpoints.</summary>
internal sealed class OutboxChecks(IOptions<OutboxOptions> options, EventSwitchStore store, ReplayStore endpoints, TimeProvider clock)
{
    private static readonly TimeSpan Late = TimeSpan.FromMinutes(5);

    public IEnumerable<DoctorCheck> All() => options.Value.Enabled
        ?
        [
            new("events about credits", null, RecordedAsync),
            .. options.Value.Endpoints.Keys.Select(name => new DoctorCheck($"endpoint {name}", null, token => SentAsync(name, token))),
        ]
        : [];

    private async Task<Finding> RecordedAsync(CancellationToken cancellationToken) =>
        await store.IsOnAsync(cancellationToken) == true
            ? Finding.Ok("events about credits are recorded")
            : Finding.Warn(
                "events about credits are not all recorded",
                "start the service, which switches them on within a minute, or look for event 1101 in its log");

    private async Task<Finding> SentAsync(string name, CancellationToken cancellationToken)
    {
        var replay = $"repair it, then run `events replay {ShellWord.Of(name)}`";
        if ((await endpoints.ListAsync([name], cancellationToken)).SingleOrDefault() is not { } standing)
            return Finding.Warn("no service has sent events to it yet", "start the service");
        if (standing.DisabledAt is { } ended)
            return Finding.Fail(Text($"nothing is sent to it since {ended:u}: it {standing.Error}"), replay);
        if (standing.FailingSince is { } since)
        {
            return Finding.Warn(
                Text($"it takes no events since {since:u}: {standing.Error}"), $"try it with `events test {ShellWord.Of(name)}`");
        }

        if (standing.GivenUp > 0)
            return Finding.Warn(Text($"{standing.GivenUp} events were not taken for three days and are given up"), replay);
        return standing.Oldest < clock.GetUtcNow() - Late
            ? Finding.Warn(
                Text($"events since {standing.Oldest:u} were not sent yet"),
                "start the service, or end the oldest open transaction that pg_stat_activity shows: events wait for it")
            : Finding.Ok(Text($"it takes events; {standing.Waiting} are sent again"));
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
