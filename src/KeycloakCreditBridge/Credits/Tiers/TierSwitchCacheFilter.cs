using KeycloakCreditBridge.Credits.Balances;

namespace KeycloakCreditBridge.Credits.Tiers;

/// <summary>Has who switched a tier see it at the next read; what else reads balances hears of it from the trigger.</summary>
internal sealed class TierSwitchCacheFilter(BalanceCache cache) : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        try
        {
            return await next(context);
        }
        finally
        {
            cache.ForgetAll();
        }
    }
}
