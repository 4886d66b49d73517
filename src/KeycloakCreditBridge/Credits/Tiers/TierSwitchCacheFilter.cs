using KeycloakCreditBridge.Credits.Balances;

namespace KeycloakCreditBridge.Credits.Tiers;

/// <summary>Makes the next read on this replica show a switched tier. The trigger notifies other replicas.</summary>
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
