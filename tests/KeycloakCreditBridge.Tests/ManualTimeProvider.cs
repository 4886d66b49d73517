using Microsoft.Extensions.Time.Testing;

namespace KeycloakCreditBridge.Tests;

/// <summary>A clock that stands still until a test advances it.</summary>
internal sealed class ManualTimeProvider(DateTimeOffset start) : FakeTimeProvider(start)
{
    private static readonly TimeSpan MaxRealTime = TimeSpan.FromMinutes(2);

    public ManualTimeProvider()
        : this(new DateTimeOffset(2026, 12, 1, 12, 0, 0, TimeSpan.Zero))
    {
    }

    /// <summary>
    /// Advances step by step until the work has ended, giving it time to get to its next wait in between, and fails after a real minute.
    /// </summary>
    public async Task AdvanceUntilDoneAsync(Task work, TimeSpan step, CancellationToken cancellationToken)
    {
        var begin = System.GetTimestamp();
        while (!work.IsCompleted)
        {
            Assert.True(System.GetElapsedTime(begin) < MaxRealTime, "The work did not end, however far the clock was moved.");
            Advance(step);
            await Task.WhenAny(work, Task.Delay(TimeSpan.FromMilliseconds(1), cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }
    }
}
