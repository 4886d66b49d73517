namespace KeycloakCreditBridge.Intake.Polling;

/// <summary>The pause between polls: short while events come, longer when none do.</summary>
internal sealed class PollPace(PollOptions options)
{
    public TimeSpan Pause { get; private set; } = options.BusyInterval;

    /// <summary>A poll succeeded and brought so many hints.</summary>
    public void Succeeded(int hints)
    {
        var longer = Pause * 2 < options.IdleInterval ? Pause * 2 : options.IdleInterval;
        Pause = hints > 0 ? options.BusyInterval : longer;
    }
}
