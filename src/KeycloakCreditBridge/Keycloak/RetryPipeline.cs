using Polly;
using Polly.Retry;
using Polly.Timeout;

namespace KeycloakCreditBridge.Keycloak;

/// <summary>How a question is asked again: a few times, later each time, and not before the server wishes.</summary>
internal static class RetryPipeline
{
    private const int Retries = 3;
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(30);

    public static ResiliencePipeline Build(TimeSpan attemptTimeout, TimeProvider clock, Action<Exception?, TimeSpan> onRetry) =>
        new ResiliencePipelineBuilder { TimeProvider = clock }
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = arguments => ValueTask.FromResult(MayPass(arguments.Outcome.Exception)),
                MaxRetryAttempts = Retries,
                BackoffType = DelayBackoffType.Exponential,
                Delay = FirstDelay,
                UseJitter = true,
                MaxDelay = LongestDelay,
                DelayGenerator = arguments => ValueTask.FromResult(ServersWish(arguments.Outcome.Exception)),
                OnRetry = arguments =>
                {
                    onRetry(arguments.Outcome.Exception, arguments.RetryDelay);
                    return default;
                },
            })
            .AddTimeout(new TimeoutStrategyOptions { Timeout = attemptTimeout })
            .Build();

    private static bool MayPass(Exception? exception) =>
        exception is KeycloakUnavailableException or TimeoutRejectedException or KeycloakProtocolException { Garbled: true };

    /// <summary>A wish for a longer wait than this client is willing to is cut, and the next refusal goes to the caller.</summary>
    private static TimeSpan? ServersWish(Exception? exception) => exception is KeycloakUnavailableException { RetryAfter: { } wish }
        ? TimeSpan.FromTicks(Math.Clamp(wish.Ticks, 0, LongestDelay.Ticks))
        : null;
}
