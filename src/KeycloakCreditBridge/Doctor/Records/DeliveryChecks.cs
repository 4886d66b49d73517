using System.Globalization;
using KeycloakCreditBridge.Configuration.Shell;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Intake.Deliveries;
using KeycloakCreditBridge.Intake.Deliveries.Review;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Doctor.Records;

/// <summary>Whether deliveries can be recorded, and whether webhooks fail.</summary>
internal sealed class DeliveryChecks(DeliveryListStore deliveries, IOptions<DeliveriesOptions> options, TimeProvider clock)
{
    private static readonly TimeSpan Recent = TimeSpan.FromHours(1);

    public IEnumerable<DoctorCheck> Of(IEnumerable<string> realms) =>
    [
        new("deliveries", null, DaysAsync),
        .. realms.Select(realm => new DoctorCheck("failed webhooks", realm, token => FailedAsync(realm, token))),
    ];

    private async Task<Finding> DaysAsync(CancellationToken cancellationToken)
    {
        if (options.Value.Keep == TimeSpan.Zero)
            return Finding.Ok($"{DeliveriesOptions.Section}:Keep is 0: no delivery is recorded");
        var tomorrow = DateOnly.FromDateTime(clock.GetUtcNow().UtcDateTime).AddDays(1);
        return await deliveries.HasDayAsync(tomorrow, cancellationToken)
            ? Finding.Ok(string.Create(CultureInfo.InvariantCulture, $"deliveries are kept for {options.Value.Keep.TotalDays:0} days"))
            : Finding.Warn(
                "the table of deliveries has no day for tomorrow",
                "start the service, which makes it within an hour; its role must be allowed to call credit_make_delivery_days, as "
                + "`migrate --grant-to ROLE` does");
    }

    private async Task<Finding> FailedAsync(string realm, CancellationToken cancellationToken)
    {
        var states = await deliveries.StatesAsync(clock.GetUtcNow() - Recent, cancellationToken);
        if (states.FirstOrDefault(state => state.Realm == realm) is not { } found)
            return Finding.Ok("no proven webhook came within the last hour");
        var (failed, all) = (found.Refused + found.NotStored, found.Refused + found.NotStored + found.Stored + found.Ignored);
        var message = string.Create(CultureInfo.InvariantCulture, $"{failed} of {all} webhooks of the last hour failed");
        var cure = $"`deliveries list --realm {ShellWord.Of(realm)} --outcome failed` shows why";
        return failed == 0 ? Finding.Ok(message) : failed < all ? Finding.Warn(message, cure) : Finding.Fail(message, cure);
    }
}
