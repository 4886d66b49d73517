using Polly;
using Polly.Retry;
using Polly.Timeout;

namespace KeycloakCreditBridge.Keycloak;

/// <summary>How a question is asked again: a few times, later each time, and not before the server wishes.</summary>
internal static class RetryPipeline
{
    private const int Retries = 3;
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(30);

    public static ResiliencePipeline Build(TimeSpan attemptTimeout, TimeProvider clock, Action<Exception?, TimeSpan> onRetry) =>
        new ResiliencePipelineBuilder { TimeProvider = clock }
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = arguments => ValueTask.FromResult(IsTransient(arguments.Outcome.Exception)),
                MaxRetryAttempts = Retries,
                BackoffType = DelayBackoffType.Exponential,
                Delay = FirstDelay,
                UseJitter = true,
                MaxDelay = MaxDelay,
                DelayGenerator = arguments => ValueTask.FromResult(RequestedDelay(arguments.Outcome.Exception)),
                OnRetry = arguments =>
                {
                    onRetry(arguments.Outcome.Exception, arguments.RetryDelay);
                    return default;
                },
            })
            .AddTimeout(new TimeoutStrategyOptions { Timeout = attemptTimeout })
            .Build();

    private static bool IsTransient(Exception? exception) =>
        exception is KeycloakUnavailableException or TimeoutRejectedException or KeycloakProtocolException { Garbled: true };

    /// <summary>A wish for a longer wait than this client is willing to is cut, and the next refusal goes to the caller.</summary>
    private static TimeSpan? RequestedDelay(Exception? exception) => exception is KeycloakUnavailableException { RetryAfter: { } wish }
        ? TimeSpan.FromTicks(Math.Clamp(wish.Ticks, 0, MaxDelay.Ticks))
        : null;
}
