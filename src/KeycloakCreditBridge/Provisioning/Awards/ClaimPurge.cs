using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Provisioning.Awards;

/// <summary>Forgets addresses whose accounts were closed long ago.</summary>
internal sealed partial class ClaimPurge(
    ClaimStore store, IOptions<ProvisioningOptions> options, SchemaGate gate, TimeProvider clock, ILogger<ClaimPurge> logger)
    : Purge(TimeSpan.FromDays(1), gate, clock)
{
    internal override Task<int> PurgeAsync(CancellationToken cancellationToken) =>
        PurgeAsync(store.PurgeAsync, options.Value.SignupGrant.RetainClaims, cancellationToken);

    [LoggerMessage(EventId = 430, Level = LogLevel.Warning,
        Message = "Addresses that grants were given for could not be forgotten after their time; the next run tries again: {Reason}")]
    protected override partial void LogInterrupted(string reason);
}
