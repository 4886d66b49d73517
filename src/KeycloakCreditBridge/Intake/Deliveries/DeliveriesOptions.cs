using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake.Deliveries;

/// <summary>What is remembered of webhooks and polls.</summary>
internal sealed class DeliveriesOptions
{
    public const string Section = "Deliveries";

    /// <summary>How long deliveries are kept, in whole days; 0 records none and drops those of earlier days.</summary>
    public TimeSpan Keep { get; set; } = TimeSpan.FromDays(7);
}

internal sealed class DeliveriesOptionsValidator : IValidateOptions<DeliveriesOptions>
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(90);

    public ValidateOptionsResult Validate(string? name, DeliveriesOptions options) =>
        options.Keep >= TimeSpan.Zero && options.Keep <= Longest && options.Keep.Ticks % TimeSpan.TicksPerDay == 0
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail(
                $"{DeliveriesOptions.Section}:Keep is {options.Keep}: choose whole days, 1.00:00:00 to 90.00:00:00, or 00:00:00 for none.");
}
