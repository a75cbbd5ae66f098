package org.harbor.crane;

import com.google.common.base.Preconditions;
import com.google.common.collect.ImmutableList;
import java.util.ArrayDeque;
import java.util.Deque;
import org.harbor.crane.load.Container;
import org.harbor.crane.load.LoadPlan;

/** Lifts containers in the order of a plan. */
public final class Crane {
    private final Deque<Container> lifted = new ArrayDeque<>();
    private final LoadPlan plan;
    private final int limitKilograms;

    public Crane(LoadPlan plan, int limitKilograms) {
        Preconditions.checkArgument(limitKilograms > 0, "limit %s", limitKilograms);
        this.plan = Preconditions.checkNotNull(plan);
        this.limitKilograms = limitKilograms;
    }

    public boolean lift(Container container) {
        if (container.weight() > limitKilograms) {
            return false;
        }
        if (!plan.allows(container)) {
            plan.reject(container, "not planned");
            return false;
        }
        lifted.push(container);
        return true;
    }

    public ImmutableList<Container> unload() {
        ImmutableList.Builder<Container> order = ImmutableList.builder();
        while (!lifted.isEmpty()) {
            Container container = lifted.pop();
            plan.finish(container);
            order.add(container);
        }
        return order.build();
    }

    public int remainingKilograms() {
        int carried = 0;
        for (Container container : lifted) {
            carried += container.weight();
        }
        return Math.max(limitKilograms - carried, 0);
    }
}
